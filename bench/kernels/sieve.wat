(module
  (type (;0;) (func (param i32) (result i32)))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32 i32 i32)
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.ge_s
      br_if 0 (;@1;)
      i32.const 0
      return
    end
    local.get 0
    i32.const 7
    i32.and
    local.set 1
    i32.const 0
    local.set 2
    block  ;; label = @1
      local.get 0
      i32.const -1
      i32.add
      i32.const 7
      i32.lt_u
      br_if 0 (;@1;)
      local.get 0
      i32.const -8
      i32.and
      local.set 3
      i32.const 0
      local.set 2
      loop  ;; label = @2
        local.get 2
        i32.const 1024
        i32.add
        i64.const 0
        i64.store
        local.get 3
        local.get 2
        i32.const 8
        i32.add
        local.tee 2
        i32.ne
        br_if 0 (;@2;)
      end
    end
    block  ;; label = @1
      local.get 1
      i32.eqz
      br_if 0 (;@1;)
      local.get 2
      i32.const 1024
      i32.add
      local.set 2
      loop  ;; label = @2
        local.get 2
        i32.const 0
        i32.store8
        local.get 2
        i32.const 1
        i32.add
        local.set 2
        local.get 1
        i32.const -1
        i32.add
        local.tee 1
        br_if 0 (;@2;)
      end
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
      local.set 1
      loop  ;; label = @2
        block  ;; label = @3
          local.get 1
          i32.const 1024
          i32.add
          i32.load8_u
          br_if 0 (;@3;)
          local.get 3
          i32.const 1
          i32.add
          local.set 3
          local.get 1
          i32.const 1
          i32.shl
          local.tee 2
          local.get 0
          i32.ge_s
          br_if 0 (;@3;)
          loop  ;; label = @4
            local.get 2
            i32.const 1024
            i32.add
            i32.const 1
            i32.store8
            local.get 2
            local.get 1
            i32.add
            local.tee 2
            local.get 0
            i32.lt_s
            br_if 0 (;@4;)
          end
        end
        local.get 1
        i32.const 1
        i32.add
        local.tee 1
        local.get 0
        i32.ne
        br_if 0 (;@2;)
      end
    end
    local.get 3)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 63)
  (global (;0;) (mut i32) (i32.const 4066560))
  (export "memory" (memory 0))
  (export "run" (func 0)))
