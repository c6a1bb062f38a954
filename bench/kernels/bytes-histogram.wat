(module
  (type (;0;) (func (param i32) (result i64)))
  (type (;1;) (func (param i64 i32 i32)))
  (type (;2;) (func (param i64 i32) (result i32)))
  (type (;3;) (func (param i64)))
  (type (;4;) (func (param i32) (result i32)))
  (import "bytes" "new" (func (;0;) (type 0)))
  (import "bytes" "store8" (func (;1;) (type 1)))
  (import "bytes" "load8_u" (func (;2;) (type 2)))
  (import "bytes" "destroy" (func (;3;) (type 3)))
  (func (;4;) (type 4) (param i32) (result i32)
    (local i64 i32 i32)
    local.get 0
    call 0
    local.set 1
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      i32.const 0
      local.set 3
      loop  ;; label = @2
        local.get 1
        local.get 3
        local.get 2
        i32.const 24
        i32.shr_u
        call 1
        local.get 2
        i32.const -1640531535
        i32.add
        local.set 2
        local.get 0
        local.get 3
        i32.const 1
        i32.add
        local.tee 3
        i32.ne
        br_if 0 (;@2;)
      end
    end
    i32.const 0
    local.set 2
    loop  ;; label = @1
      local.get 2
      i32.const 1048
      i32.add
      i64.const 0
      i64.store
      local.get 2
      i32.const 1040
      i32.add
      i64.const 0
      i64.store
      local.get 2
      i32.const 1032
      i32.add
      i64.const 0
      i64.store
      local.get 2
      i32.const 1024
      i32.add
      i64.const 0
      i64.store
      local.get 2
      i32.const 32
      i32.add
      local.tee 2
      i32.const 1024
      i32.ne
      br_if 0 (;@1;)
    end
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 1
        local.get 2
        call 2
        i32.const 2
        i32.shl
        i32.const 1024
        i32.add
        local.tee 3
        local.get 3
        i32.load
        i32.const 1
        i32.add
        i32.store
        local.get 0
        local.get 2
        i32.const 1
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
    end
    local.get 1
    call 3
    i32.const 0
    local.set 0
    i32.const -1024
    local.set 2
    loop  ;; label = @1
      local.get 2
      i32.const 2060
      i32.add
      i32.load
      local.get 2
      i32.const 2056
      i32.add
      i32.load
      local.get 2
      i32.const 2052
      i32.add
      i32.load
      local.get 2
      i32.const 2048
      i32.add
      i32.load
      local.get 0
      i32.const 31
      i32.mul
      i32.add
      i32.const 31
      i32.mul
      i32.add
      i32.const 31
      i32.mul
      i32.add
      i32.const 31
      i32.mul
      i32.add
      local.set 0
      local.get 2
      i32.const 16
      i32.add
      local.tee 2
      br_if 0 (;@1;)
    end
    local.get 0)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 2)
  (global (;0;) (mut i32) (i32.const 67584))
  (export "memory" (memory 0))
  (export "run" (func 4)))
