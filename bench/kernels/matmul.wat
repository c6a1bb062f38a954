(module
  (type (;0;) (func (param i32) (result i32)))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 f64)
    block  ;; label = @1
      local.get 0
      local.get 0
      i32.mul
      local.tee 1
      i32.eqz
      br_if 0 (;@1;)
      i32.const 0
      local.set 2
      i32.const -2
      local.set 3
      i32.const 1
      local.set 4
      local.get 1
      local.set 5
      i32.const 0
      local.set 6
      loop  ;; label = @2
        local.get 2
        i32.const 1281024
        i32.add
        local.get 3
        local.get 6
        i32.const 5
        i32.div_u
        i32.const 5
        i32.mul
        i32.sub
        f64.convert_i32_s
        f64.store
        local.get 2
        i32.const 1024
        i32.add
        local.get 4
        local.get 6
        i32.const 7
        i32.div_u
        i32.const 7
        i32.mul
        i32.sub
        f64.convert_i32_s
        f64.store
        local.get 3
        i32.const 1
        i32.add
        local.set 3
        local.get 4
        i32.const 1
        i32.add
        local.set 4
        local.get 2
        i32.const 8
        i32.add
        local.set 2
        local.get 6
        i32.const 1
        i32.add
        local.set 6
        local.get 5
        i32.const -1
        i32.add
        local.tee 5
        br_if 0 (;@2;)
      end
    end
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      local.get 0
      i32.const 4
      i32.shl
      local.set 5
      local.get 0
      i32.const 3
      i32.shl
      local.set 4
      local.get 0
      i32.const -2
      i32.and
      local.set 7
      local.get 0
      i32.const 1
      i32.and
      local.set 8
      i32.const 0
      local.set 9
      i32.const 1024
      local.set 10
      loop  ;; label = @2
        local.get 9
        local.get 0
        i32.mul
        local.set 11
        i32.const 1281024
        local.set 12
        i32.const 0
        local.set 13
        loop  ;; label = @3
          block  ;; label = @4
            block  ;; label = @5
              local.get 0
              i32.const 1
              i32.ne
              br_if 0 (;@5;)
              f64.const 0x0p+0 (;=0;)
              local.set 14
              i32.const 0
              local.set 3
              br 1 (;@4;)
            end
            f64.const 0x0p+0 (;=0;)
            local.set 14
            i32.const 0
            local.set 3
            local.get 12
            local.set 2
            local.get 10
            local.set 6
            loop  ;; label = @5
              local.get 6
              i32.const 8
              i32.add
              f64.load
              local.get 2
              local.get 4
              i32.add
              f64.load
              f64.mul
              local.get 6
              f64.load
              local.get 2
              f64.load
              f64.mul
              local.get 14
              f64.add
              f64.add
              local.set 14
              local.get 2
              local.get 5
              i32.add
              local.set 2
              local.get 6
              i32.const 16
              i32.add
              local.set 6
              local.get 7
              local.get 3
              i32.const 2
              i32.add
              local.tee 3
              i32.ne
              br_if 0 (;@5;)
            end
          end
          block  ;; label = @4
            local.get 8
            i32.eqz
            br_if 0 (;@4;)
            local.get 3
            local.get 11
            i32.add
            i32.const 3
            i32.shl
            i32.const 1024
            i32.add
            f64.load
            local.get 3
            local.get 0
            i32.mul
            local.get 13
            i32.add
            i32.const 3
            i32.shl
            i32.const 1281024
            i32.add
            f64.load
            f64.mul
            local.get 14
            f64.add
            local.set 14
          end
          local.get 13
          local.get 11
          i32.add
          i32.const 3
          i32.shl
          i32.const 2561024
          i32.add
          local.get 14
          f64.store
          local.get 12
          i32.const 8
          i32.add
          local.set 12
          local.get 13
          i32.const 1
          i32.add
          local.tee 13
          local.get 0
          i32.ne
          br_if 0 (;@3;)
        end
        local.get 10
        local.get 4
        i32.add
        local.set 10
        local.get 9
        i32.const 1
        i32.add
        local.tee 9
        local.get 0
        i32.ne
        br_if 0 (;@2;)
      end
    end
    block  ;; label = @1
      local.get 1
      br_if 0 (;@1;)
      i32.const 0
      return
    end
    i32.const 1
    local.set 2
    local.get 1
    i32.const 1
    i32.and
    local.set 13
    block  ;; label = @1
      block  ;; label = @2
        local.get 1
        i32.const 1
        i32.ne
        br_if 0 (;@2;)
        f64.const 0x0p+0 (;=0;)
        local.set 14
        i32.const 0
        local.set 2
        br 1 (;@1;)
      end
      i32.const 0
      local.set 5
      i32.const 0
      local.get 1
      i32.const -2
      i32.and
      i32.sub
      local.set 7
      f64.const 0x0p+0 (;=0;)
      local.set 14
      i32.const 2561024
      local.set 6
      i32.const 2
      local.set 3
      i32.const 0
      local.set 4
      loop  ;; label = @2
        local.get 6
        i32.const 8
        i32.add
        f64.load
        local.get 3
        local.get 2
        i32.const 3
        i32.div_u
        i32.const 3
        i32.mul
        i32.sub
        f64.convert_i32_s
        f64.mul
        local.get 6
        f64.load
        local.get 2
        local.get 4
        i32.const 3
        i32.div_u
        i32.const 3
        i32.mul
        i32.sub
        f64.convert_i32_s
        f64.mul
        local.get 14
        f64.add
        f64.add
        local.set 14
        local.get 2
        i32.const 2
        i32.add
        local.set 2
        local.get 3
        i32.const 2
        i32.add
        local.set 3
        local.get 6
        i32.const 16
        i32.add
        local.set 6
        local.get 4
        i32.const 2
        i32.add
        local.set 4
        local.get 7
        local.get 5
        i32.const -2
        i32.add
        local.tee 5
        i32.ne
        br_if 0 (;@2;)
      end
      i32.const 0
      local.get 5
      i32.sub
      local.set 2
    end
    block  ;; label = @1
      local.get 13
      i32.eqz
      br_if 0 (;@1;)
      local.get 2
      i32.const 3
      i32.shl
      i32.const 2561024
      i32.add
      f64.load
      local.get 2
      i32.const 3
      i32.rem_u
      i32.const 1
      i32.add
      f64.convert_i32_s
      f64.mul
      local.get 14
      f64.add
      local.set 14
    end
    block  ;; label = @1
      local.get 14
      f64.abs
      f64.const 0x1p+31 (;=2.14748e+09;)
      f64.lt
      i32.eqz
      br_if 0 (;@1;)
      local.get 14
      i32.trunc_f64_s
      return
    end
    i32.const -2147483648)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 60)
  (global (;0;) (mut i32) (i32.const 3906560))
  (export "memory" (memory 0))
  (export "run" (func 0)))
