(module
  (type (;0;) (func (param i32) (result i32)))
  (func (;0;) (type 0) (param i32) (result i32)
    (local f64 f64 i32 i32 f64 f64 i32 i32 f64 f64 i32 f64 f64 f64)
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.ge_s
      br_if 0 (;@1;)
      i32.const 0
      return
    end
    local.get 0
    f64.convert_i32_s
    local.set 1
    f64.const 0x0p+0 (;=0;)
    local.set 2
    i32.const 0
    local.set 3
    i32.const 0
    local.set 4
    loop  ;; label = @1
      local.get 2
      local.get 2
      f64.add
      local.get 1
      f64.div
      f64.const -0x1p+0 (;=-1;)
      f64.add
      local.set 5
      f64.const 0x0p+0 (;=0;)
      local.set 6
      i32.const 0
      local.set 7
      loop  ;; label = @2
        local.get 3
        i32.const 50
        i32.add
        local.set 8
        local.get 6
        local.get 6
        f64.add
        local.get 1
        f64.div
        f64.const -0x1.8p+0 (;=-1.5;)
        f64.add
        local.set 9
        f64.const 0x0p+0 (;=0;)
        local.set 10
        i32.const 0
        local.set 11
        f64.const 0x0p+0 (;=0;)
        local.set 12
        block  ;; label = @3
          block  ;; label = @4
            block  ;; label = @5
              loop  ;; label = @6
                local.get 12
                local.get 12
                f64.mul
                local.tee 13
                local.get 10
                local.get 10
                f64.mul
                local.tee 14
                f64.add
                f64.const 0x1p+2 (;=4;)
                f64.gt
                br_if 2 (;@4;)
                local.get 9
                local.get 13
                local.get 14
                f64.sub
                f64.add
                local.tee 13
                local.get 13
                f64.mul
                local.tee 14
                local.get 12
                local.get 12
                f64.add
                local.get 10
                f64.mul
                local.get 5
                f64.add
                local.tee 10
                local.get 10
                f64.mul
                local.tee 12
                f64.add
                f64.const 0x1p+2 (;=4;)
                f64.gt
                br_if 1 (;@5;)
                local.get 9
                local.get 14
                local.get 12
                f64.sub
                f64.add
                local.set 12
                local.get 13
                local.get 13
                f64.add
                local.get 10
                f64.mul
                local.get 5
                f64.add
                local.set 10
                local.get 11
                i32.const 2
                i32.add
                local.tee 11
                i32.const 50
                i32.ne
                br_if 0 (;@6;)
              end
              local.get 8
              local.set 3
              br 2 (;@3;)
            end
            local.get 3
            local.get 11
            i32.add
            i32.const 1
            i32.add
            local.set 3
            br 1 (;@3;)
          end
          local.get 3
          local.get 11
          i32.add
          local.set 3
        end
        local.get 6
        f64.const 0x1p+0 (;=1;)
        f64.add
        local.set 6
        local.get 7
        i32.const 1
        i32.add
        local.tee 7
        local.get 0
        i32.ne
        br_if 0 (;@2;)
      end
      local.get 2
      f64.const 0x1p+0 (;=1;)
      f64.add
      local.set 2
      local.get 4
      i32.const 1
      i32.add
      local.tee 4
      local.get 0
      i32.ne
      br_if 0 (;@1;)
    end
    local.get 3)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 2)
  (global (;0;) (mut i32) (i32.const 66560))
  (export "memory" (memory 0))
  (export "run" (func 0)))
