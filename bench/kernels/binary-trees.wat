(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (param i32)))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32)
    i32.const 0
    local.set 1
    i32.const 0
    i64.const 0
    i64.store offset=1064
    i32.const 0
    i64.const 0
    i64.store offset=1056
    i32.const 0
    i64.const 0
    i64.store offset=1048
    i32.const 0
    i64.const 0
    i64.store offset=1040
    i32.const 0
    i32.const 0
    i32.store offset=1024
    i32.const 4
    local.set 2
    local.get 0
    call 1
    local.set 3
    block  ;; label = @1
      local.get 0
      i32.const 4
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 1
      loop  ;; label = @2
        block  ;; label = @3
          local.get 0
          local.get 2
          i32.sub
          local.tee 4
          i32.const 31
          i32.eq
          br_if 0 (;@3;)
          i32.const 1
          local.get 4
          i32.shl
          local.tee 4
          i32.const 1
          local.get 4
          i32.const 1
          i32.gt_s
          select
          local.set 4
          loop  ;; label = @4
            local.get 2
            call 1
            local.tee 5
            call 2
            local.set 6
            local.get 5
            call 3
            local.get 6
            local.get 1
            i32.add
            local.set 1
            local.get 4
            i32.const -1
            i32.add
            local.tee 4
            br_if 0 (;@4;)
          end
        end
        local.get 2
        i32.const 2
        i32.add
        local.tee 2
        local.get 0
        i32.le_s
        br_if 0 (;@2;)
      end
    end
    local.get 3
    call 2
    local.set 4
    local.get 3
    call 3
    local.get 4
    local.get 1
    i32.add)
  (func (;1;) (type 0) (param i32) (result i32)
    (local i32 i32)
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          i32.const 0
          i32.load offset=1040
          local.tee 1
          i32.eqz
          br_if 0 (;@3;)
          i32.const 0
          local.get 1
          i32.load
          i32.store offset=1040
          br 1 (;@2;)
        end
        i32.const 0
        i32.const 0
        i32.load offset=1024
        local.tee 2
        i32.const 16
        i32.add
        local.tee 1
        i32.store offset=1024
        local.get 1
        i32.const 16777217
        i32.ge_u
        br_if 1 (;@1;)
        local.get 2
        i32.const 1072
        i32.add
        local.set 1
      end
      block  ;; label = @2
        local.get 0
        i32.eqz
        br_if 0 (;@2;)
        local.get 1
        local.get 0
        i32.const -1
        i32.add
        local.tee 0
        call 1
        i32.store
        local.get 1
        local.get 0
        call 1
        i32.store offset=4
        local.get 1
        return
      end
      local.get 1
      i32.const 0
      i32.store
      local.get 1
      i32.const 0
      i32.store offset=4
      local.get 1
      return
    end
    unreachable
    unreachable)
  (func (;2;) (type 0) (param i32) (result i32)
    (local i32 i32)
    block  ;; label = @1
      local.get 0
      i32.load
      local.tee 1
      br_if 0 (;@1;)
      i32.const 1
      return
    end
    i32.const 0
    local.set 2
    loop  ;; label = @1
      local.get 2
      local.get 1
      call 2
      i32.add
      i32.const 1
      i32.add
      local.set 2
      local.get 0
      i32.load offset=4
      local.tee 0
      i32.load
      local.tee 1
      br_if 0 (;@1;)
    end
    local.get 2
    i32.const 1
    i32.add)
  (func (;3;) (type 1) (param i32)
    (local i32)
    block  ;; label = @1
      local.get 0
      i32.load
      local.tee 1
      i32.eqz
      br_if 0 (;@1;)
      local.get 1
      call 3
      local.get 0
      i32.load offset=4
      call 3
    end
    local.get 0
    i32.const 0
    i32.load offset=1040
    i32.store
    i32.const 0
    local.get 0
    i32.store offset=1040)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 258)
  (global (;0;) (mut i32) (i32.const 16843824))
  (export "memory" (memory 0))
  (export "run" (func 0)))
