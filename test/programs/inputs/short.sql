.bail off
create table item (id integer primary key, name text unique, price real check (price >= 0), note blob);
create table sale (item integer references item (id) on delete cascade, day text, amount integer, primary key (item, day)) without rowid;
create index by_day on sale (day, amount desc);
create trigger no_more after insert on sale when new.amount > 900 begin update item set note = 'much' where id = new.item; end;
pragma foreign_keys = on;
begin;
insert into item (name, price) values ('pear', 1.5), ('apple', 0.75), ('fig', 3), ('straße', 12.25);
with recursive day (n) as (select 1 union all select n + 1 from day where n < 60)
  insert into sale select id, date('2024-02-01', '+' || n || ' days'), (n * 7919 + id * 104729) % 1000 from day, item;
commit;
.headers on
.mode column
select name, count(*) as days, sum(amount) as total, round(avg(amount * price), 3) as average, note from item join sale on item = id group by id order by total desc;
.mode csv
select strftime('%Y-%m', day) as month, sum(amount), group_concat(distinct name) from (select * from sale join item on id = item order by name) group by month;
.mode json
select id, name, price, typeof(price), hex(note), upper(name), length(name), instr(name, 'e') from item;
.mode quote
select name, row_number() over (order by price) as place, sum(price) over (order by price) as running, lag(name) over (order by price) from item;
select printf('%08.3f|%-6s|%,d|%!.20g', 3.14159, 'ab', 1234567, 0.1), 1e300 * 10, -7 / 2, -7 % 3, 5.0 / 3, 1 << 40, 'a' || 1.0, cast('12abc' as integer), null is null;
select json_extract('{"a":[1,{"b":"c"}]}', '$.a[1].b'), json_group_array(value) from json_each('[3,1,2]');
select abs(-9223372036854775807), max(1, 2.5, '3'), coalesce(null, 'x'), nullif(1, 1), iif(1 < 2, 'yes', 'no'), quote(x'00ff'), unicode('€'), char(8364), like('a%', 'ABC'), glob('a*', 'ABC');
insert into item (name, price) values ('pear', 2);
insert into item (name, price) values ('negative', -1);
insert into sale values (99, '2024-01-01', 1);
select * from absent;
savepoint here;
delete from item where name = 'fig';
select count(*) from sale;
rollback to here;
select count(*) from sale;
release here;
.mode list
explain query plan select * from sale where day = '2024-02-10' and amount > 500;
select * from sale where day between '2024-02-10' and '2024-02-11' order by amount limit 5;
update item set price = price * 2 where id in (select item from sale group by item having sum(amount) > 29000) returning id, price;
vacuum;
pragma integrity_check;
pragma foreign_key_check;
pragma page_count;
.schema
.tables
.dump item
.mode csv
.once copy.csv
select * from sale order by day, item;
create table copied (item, day, amount);
.import --skip 1 copy.csv copied
select count(*), sum(amount) from copied;
.backup copy.db
attach 'copy.db' as copy;
select count(*) from copy.sale;
.exit 3
