;; Buys some articles: asks the shop for prices, adds them up, and pays. Its exit code is the status of paying.
(module
  (import "shop" "price" (func $price (param i32) (result i32)))
  (import "shop" "pay" (func $pay (param i32) (result i32)))
  (import "sys" "exit" (func $exit (param i32)))

  ;; Three of article 0, one of article 2.
  (func (export "_start")
    (call $exit
      (call $pay (i32.add (i32.mul (i32.const 3) (call $price (i32.const 0))) (call $price (i32.const 2)))))))
