(module
  (type (;0;) (func (param i32) (result i64)))
  (type (;1;) (func (param i64)))
  (type (;2;) (func (param i64 i32 i32)))
  (type (;3;) (func (param i64 i32) (result i32)))
  (type (;4;) (func (param i32) (result i32)))
  (import "bytes" "new" (func (;0;) (type 0)))
  (import "bytes" "destroy" (func (;1;) (type 1)))
  (import "bytes" "store8" (func (;2;) (type 2)))
  (import "bytes" "load8_u" (func (;3;) (type 3)))
  (func (;4;) (type 4) (param i32) (result i32)
    (local i64 i32 i32 i32)
    local.get 0
    call 0
    local.set 1
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.ge_s
      br_if 0 (;@1;)
      local.get 1
      call 1
      i32.const 0
      return
    end
    i32.const 0
    local.set 2
    loop  ;; label = @1
      local.get 1
      local.get 2
      i32.const 0
      call 2
      local.get 0
      local.get 2
      i32.const 1
      i32.add
      local.tee 2
      i32.ne
      br_if 0 (;@1;)
    end
    i32.const 0
    local.set 3
    block  ;; label = @1
      local.get 0
      i32.const 3
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 3
      i32.const 2
      local.set 4
      loop  ;; label = @2
        block  ;; label = @3
          local.get 1
          local.get 4
          call 3
          br_if 0 (;@3;)
          local.get 3
          i32.const 1
          i32.add
          local.set 3
          local.get 4
          i32.const 1
          i32.shl
          local.tee 2
          local.get 0
          i32.ge_s
          br_if 0 (;@3;)
          loop  ;; label = @4
            local.get 1
            local.get 2
            i32.const 1
            call 2
            local.get 2
            local.get 4
            i32.add
            local.tee 2
            local.get 0
            i32.lt_s
            br_if 0 (;@4;)
          end
        end
        local.get 4
        i32.const 1
        i32.add
        local.tee 4
        local.get 0
        i32.ne
        br_if 0 (;@2;)
      end
    end
    local.get 1
    call 1
    local.get 3)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 2)
  (global (;0;) (mut i32) (i32.const 66560))
  (export "memory" (memory 0))
  (export "run" (func 4)))
