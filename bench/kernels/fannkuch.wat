(module
  (type (;0;) (func (param i32) (result i32)))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    global.get 0
    i32.const 144
    i32.sub
    local.tee 1
    global.set 0
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.lt_s
      local.tee 2
      br_if 0 (;@1;)
      local.get 0
      i32.const 7
      i32.and
      local.set 3
      i32.const 0
      local.set 4
      block  ;; label = @2
        local.get 0
        i32.const -1
        i32.add
        i32.const 7
        i32.lt_u
        br_if 0 (;@2;)
        local.get 0
        i32.const -8
        i32.and
        local.set 5
        local.get 1
        i32.const 112
        i32.add
        local.set 6
        i32.const 0
        local.set 4
        loop  ;; label = @3
          local.get 6
          i32.const 12
          i32.add
          local.get 4
          i32.const 7
          i32.add
          i32.store
          local.get 6
          i32.const 8
          i32.add
          local.get 4
          i32.const 6
          i32.add
          i32.store
          local.get 6
          i32.const 4
          i32.add
          local.get 4
          i32.const 5
          i32.add
          i32.store
          local.get 6
          local.get 4
          i32.const 4
          i32.add
          i32.store
          local.get 6
          i32.const -4
          i32.add
          local.get 4
          i32.const 3
          i32.add
          i32.store
          local.get 6
          i32.const -8
          i32.add
          local.get 4
          i32.const 2
          i32.add
          i32.store
          local.get 6
          i32.const -12
          i32.add
          local.get 4
          i32.const 1
          i32.add
          i32.store
          local.get 6
          i32.const -16
          i32.add
          local.get 4
          i32.store
          local.get 6
          i32.const 32
          i32.add
          local.set 6
          local.get 4
          i32.const 8
          i32.add
          local.tee 4
          local.get 5
          i32.ne
          br_if 0 (;@3;)
        end
      end
      local.get 3
      i32.eqz
      br_if 0 (;@1;)
      local.get 1
      i32.const 96
      i32.add
      local.get 4
      i32.const 2
      i32.shl
      i32.add
      local.set 6
      loop  ;; label = @2
        local.get 6
        local.get 4
        i32.store
        local.get 6
        i32.const 4
        i32.add
        local.set 6
        local.get 4
        i32.const 1
        i32.add
        local.set 4
        local.get 3
        i32.const -1
        i32.add
        local.tee 3
        br_if 0 (;@2;)
      end
    end
    local.get 0
    i32.const -1
    i32.add
    local.tee 4
    i32.const -4
    i32.and
    local.set 7
    local.get 4
    i32.const 3
    i32.and
    local.set 8
    local.get 1
    i32.const 48
    i32.add
    i32.const 4
    i32.or
    local.set 9
    local.get 1
    i32.const 48
    i32.add
    i32.const -4
    i32.add
    local.set 10
    local.get 1
    i32.const -4
    i32.add
    local.set 11
    local.get 0
    i32.const -2
    i32.add
    i32.const 3
    i32.lt_u
    local.set 12
    i32.const 1
    local.set 13
    local.get 0
    local.set 5
    i32.const 0
    local.set 14
    i32.const 0
    local.set 15
    loop  ;; label = @1
      block  ;; label = @2
        local.get 5
        i32.const 2
        i32.lt_s
        br_if 0 (;@2;)
        local.get 11
        local.get 5
        i32.const 2
        i32.shl
        i32.add
        local.set 4
        loop  ;; label = @3
          local.get 4
          local.get 5
          i32.store
          local.get 4
          i32.const -4
          i32.add
          local.set 4
          local.get 5
          i32.const 2
          i32.gt_u
          local.set 6
          local.get 5
          i32.const -1
          i32.add
          local.set 5
          local.get 6
          br_if 0 (;@3;)
        end
      end
      block  ;; label = @2
        local.get 1
        i32.load offset=96
        local.tee 16
        i32.eqz
        br_if 0 (;@2;)
        i32.const 0
        local.set 17
        block  ;; label = @3
          local.get 2
          br_if 0 (;@3;)
          local.get 1
          local.get 16
          i32.store offset=48
          block  ;; label = @4
            local.get 0
            i32.const 1
            i32.eq
            br_if 0 (;@4;)
            i32.const 1
            local.set 4
            block  ;; label = @5
              local.get 12
              br_if 0 (;@5;)
              i32.const 0
              local.set 4
              i32.const 0
              local.set 6
              loop  ;; label = @6
                local.get 1
                i32.const 48
                i32.add
                local.get 4
                i32.add
                local.tee 3
                i32.const 4
                i32.add
                local.get 1
                i32.const 96
                i32.add
                local.get 4
                i32.add
                local.tee 5
                i32.const 4
                i32.add
                i64.load align=4
                i64.store align=4
                local.get 3
                i32.const 12
                i32.add
                local.get 5
                i32.const 12
                i32.add
                i64.load align=4
                i64.store align=4
                local.get 4
                i32.const 16
                i32.add
                local.set 4
                local.get 7
                local.get 6
                i32.const 4
                i32.add
                local.tee 6
                i32.ne
                br_if 0 (;@6;)
              end
              local.get 6
              i32.const 1
              i32.add
              local.set 4
            end
            local.get 8
            i32.eqz
            br_if 0 (;@4;)
            local.get 1
            i32.const 96
            i32.add
            local.get 4
            i32.const 2
            i32.shl
            local.tee 6
            i32.add
            local.set 4
            local.get 1
            i32.const 48
            i32.add
            local.get 6
            i32.add
            local.set 6
            local.get 8
            local.set 3
            loop  ;; label = @5
              local.get 6
              local.get 4
              i32.load
              i32.store
              local.get 4
              i32.const 4
              i32.add
              local.set 4
              local.get 6
              i32.const 4
              i32.add
              local.set 6
              local.get 3
              i32.const -1
              i32.add
              local.tee 3
              br_if 0 (;@5;)
            end
          end
          local.get 1
          i32.load offset=48
          local.tee 4
          i32.eqz
          br_if 0 (;@3;)
          i32.const 0
          local.set 17
          loop  ;; label = @4
            block  ;; label = @5
              local.get 4
              i32.const 1
              i32.lt_s
              br_if 0 (;@5;)
              local.get 1
              i32.const 48
              i32.add
              local.get 4
              i32.const 2
              i32.shl
              i32.add
              local.tee 6
              i32.load
              local.set 3
              local.get 6
              local.get 4
              i32.store
              local.get 1
              local.get 3
              i32.store offset=48
              block  ;; label = @6
                local.get 4
                i32.const 3
                i32.lt_s
                br_if 0 (;@6;)
                local.get 4
                i32.const -1
                i32.add
                local.set 5
                i32.const 2
                local.set 3
                local.get 10
                local.get 4
                i32.const 2
                i32.shl
                i32.add
                local.set 4
                local.get 9
                local.set 6
                loop  ;; label = @7
                  local.get 6
                  i32.load
                  local.set 18
                  local.get 6
                  local.get 4
                  i32.load
                  i32.store
                  local.get 4
                  local.get 18
                  i32.store
                  local.get 6
                  i32.const 4
                  i32.add
                  local.set 6
                  local.get 4
                  i32.const -4
                  i32.add
                  local.set 4
                  local.get 3
                  local.get 5
                  i32.const -1
                  i32.add
                  local.tee 5
                  i32.lt_s
                  local.set 18
                  local.get 3
                  i32.const 1
                  i32.add
                  local.set 3
                  local.get 18
                  br_if 0 (;@7;)
                end
              end
              local.get 1
              i32.load offset=48
              local.set 4
            end
            local.get 17
            i32.const 1
            i32.add
            local.set 17
            local.get 4
            br_if 0 (;@4;)
          end
        end
        local.get 17
        local.get 15
        local.get 17
        local.get 15
        i32.gt_s
        select
        local.set 15
        local.get 17
        local.get 13
        i32.mul
        local.get 14
        i32.add
        local.set 14
      end
      block  ;; label = @2
        local.get 0
        i32.const 1
        i32.eq
        br_if 0 (;@2;)
        i32.const 0
        local.get 13
        i32.sub
        local.set 13
        i32.const 1
        local.set 17
        i32.const 0
        local.set 18
        i32.const 1
        local.set 5
        loop  ;; label = @3
          local.get 5
          i32.const 3
          i32.and
          local.set 19
          i32.const 0
          local.set 3
          block  ;; label = @4
            local.get 18
            i32.const 3
            i32.lt_u
            br_if 0 (;@4;)
            local.get 5
            i32.const -4
            i32.and
            local.set 6
            i32.const 0
            local.set 3
            local.get 1
            i32.const 96
            i32.add
            local.set 4
            loop  ;; label = @5
              local.get 4
              local.get 4
              i32.const 4
              i32.add
              i64.load align=4
              i64.store
              local.get 4
              i32.const 8
              i32.add
              local.get 4
              i32.const 12
              i32.add
              i64.load align=4
              i64.store
              local.get 4
              i32.const 16
              i32.add
              local.set 4
              local.get 6
              local.get 3
              i32.const 4
              i32.add
              local.tee 3
              i32.ne
              br_if 0 (;@5;)
            end
          end
          block  ;; label = @4
            local.get 19
            i32.eqz
            br_if 0 (;@4;)
            local.get 17
            i32.const 3
            i32.and
            local.set 6
            local.get 1
            i32.const 96
            i32.add
            local.get 3
            i32.const 2
            i32.shl
            i32.add
            local.set 4
            loop  ;; label = @5
              local.get 4
              local.get 4
              i32.const 4
              i32.add
              local.tee 3
              i32.load
              i32.store
              local.get 3
              local.set 4
              local.get 6
              i32.const -1
              i32.add
              local.tee 6
              br_if 0 (;@5;)
            end
          end
          local.get 1
          i32.const 96
          i32.add
          local.get 5
          i32.const 2
          i32.shl
          local.tee 4
          i32.add
          local.get 16
          i32.store
          local.get 1
          local.get 4
          i32.add
          local.tee 4
          local.get 4
          i32.load
          local.tee 4
          i32.const -1
          i32.add
          i32.store
          local.get 4
          i32.const 1
          i32.gt_s
          br_if 2 (;@1;)
          local.get 5
          i32.const 1
          i32.add
          local.tee 5
          local.get 0
          i32.eq
          br_if 1 (;@2;)
          local.get 17
          i32.const 1
          i32.add
          local.set 17
          local.get 18
          i32.const 1
          i32.add
          local.set 18
          local.get 1
          i32.load offset=96
          local.set 16
          br 0 (;@3;)
        end
      end
    end
    local.get 1
    i32.const 144
    i32.add
    global.set 0
    local.get 14
    i32.const 100
    i32.mul
    local.get 15
    i32.add)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 2)
  (global (;0;) (mut i32) (i32.const 66560))
  (export "memory" (memory 0))
  (export "run" (func 0)))
