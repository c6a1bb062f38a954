(module
  (type (;0;) (func (param i32) (result i64)))
  (func (;0;) (type 0) (param i32) (result i64)
    (local i32 i64 i64 i64)
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.ge_s
      br_if 0 (;@1;)
      i64.const 0
      return
    end
    local.get 0
    i32.const 1
    i32.and
    local.set 1
    block  ;; label = @1
      block  ;; label = @2
        local.get 0
        i32.const 1
        i32.ne
        br_if 0 (;@2;)
        i64.const 88172645463325252
        local.set 2
        i64.const 0
        local.set 3
        br 1 (;@1;)
      end
      local.get 0
      i32.const -2
      i32.and
      local.set 0
      i64.const 88172645463325252
      local.set 2
      i64.const 0
      local.set 3
      loop  ;; label = @2
        local.get 2
        i64.const 13
        i64.shl
        local.get 2
        i64.xor
        local.tee 2
        i64.const 7
        i64.shr_u
        local.get 2
        i64.xor
        local.tee 2
        i64.const 17
        i64.shl
        local.get 2
        i64.xor
        local.tee 4
        i64.const 13
        i64.shl
        local.get 4
        i64.xor
        local.tee 2
        i64.const 7
        i64.shr_u
        local.get 2
        i64.xor
        local.tee 2
        i64.const 17
        i64.shl
        local.get 2
        i64.xor
        local.tee 2
        i64.const 2685821657736338717
        i64.mul
        local.get 4
        i64.const 2685821657736338717
        i64.mul
        local.get 3
        i64.add
        i64.add
        local.set 3
        local.get 0
        i32.const -2
        i32.add
        local.tee 0
        br_if 0 (;@2;)
      end
    end
    block  ;; label = @1
      local.get 1
      i32.eqz
      br_if 0 (;@1;)
      local.get 2
      i64.const 13
      i64.shl
      local.get 2
      i64.xor
      local.tee 2
      i64.const 7
      i64.shr_u
      local.get 2
      i64.xor
      local.tee 2
      i64.const 17
      i64.shl
      local.get 2
      i64.xor
      i64.const 2685821657736338717
      i64.mul
      local.get 3
      i64.add
      local.set 3
    end
    local.get 3)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 2)
  (global (;0;) (mut i32) (i32.const 66560))
  (export "memory" (memory 0))
  (export "run" (func 0)))
