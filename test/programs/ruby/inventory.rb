# A shop's stock: reads and writes files under /work, walks folders, and tells what it finds.
Item = Struct.new(:name, :count, :cents) do
  include Comparable

  def <=>(other) = [cents * count, name] <=> [other.cents * other.count, other.name]
  def to_s = format("%-10s %3d × %6.2f €", name, count, cents / 100.0)
end

class Stock
  include Enumerable

  def initialize(items) = @items = items
  def each(&block) = @items.each(&block)
  def worth = sum { |item| item.count * item.cents }
end

class Missing < StandardError; end

def read(path)
  lines = File.readlines(path, chomp: true, encoding: "UTF-8")
  raise Missing, "#{path} is empty" if lines.empty?
  Stock.new(lines.map { |line| line.split(";").then { |name, count, cents| Item.new(name, Integer(count), Integer(cents)) } })
end

Dir.mkdir("/work/stock")
{ "fruit" => "Äpfel;12;45\nBirnen;7;60\nKirschen;300;3\n", "grain" => "Hafer;2;199\nReis;1;349\n", "none" => "" }
  .each { |name, text| File.write("/work/stock/#{name}.txt", text) }

Dir.glob("/work/stock/*.txt").sort.each do |path|
  stock = read(path)
  puts File.basename(path), stock.sort.reverse.map { |item| "  #{item}" }
  puts "  least #{stock.min.name}, most #{stock.max.name}, worth #{stock.worth}, names #{stock.map(&:name).sum("")}"
  File.rename(path, path.sub(".txt", ".done"))
rescue Missing, ArgumentError => error
  puts "#{error.class}: #{error.message}"
  File.delete(path)
end

File.open("/work/stock/fruit.done", "r+") do |file|
  file.seek(-2, IO::SEEK_END)
  file.write("4\nNüsse;1000;1\n")
  file.flush
  puts "#{file.pos} of #{file.size} bytes"
end
File.open("/work/stock/grain.done", "a") { |file| file.puts("Mais;5;120") }
puts File.binread("/work/stock/fruit.done").bytes.sum, read("/work/stock/grain.done").entries.last

File.symlink("fruit.done", "/work/stock/latest")
File.link("/work/stock/grain.done", "/work/stock/twin")
puts File.readlink("/work/stock/latest"), File.read("/work/stock/latest").lines.size
Dir.children("/work/stock").sort.each do |name|
  stat = File.lstat("/work/stock/#{name}")
  puts "#{name}: #{stat.ftype}, #{stat.size} bytes, #{stat.nlink} names"
end
File.truncate("/work/stock/twin", 10)
puts File.size("/work/stock/grain.done"), File.identical?("/work/stock/twin", "/work/stock/grain.done")

["/work/none", "/work/stock/fruit.done/x", "/etc/passwd"].each do |path|
  puts File.read(path)
rescue SystemCallError => error
  puts "#{error.class} (#{error.errno})"
end
begin
  Dir.rmdir("/work/stock")
rescue SystemCallError => error
  puts error.class
end
Dir.mkdir("/work/stock/deep")
Dir.mkdir("/work/stock/deep/er")
File.write("/work/stock/deep/er/leaf", "x" * 100_000)
puts Dir.glob("/work/**/*").sort, File.stat("/work/stock/deep/er/leaf").size
$stdout.flush
