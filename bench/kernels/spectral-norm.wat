(module
  (type (;0;) (func (param i32) (result i32)))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 f64 i32 i32 f64 f64 f64)
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.lt_s
      local.tee 1
      br_if 0 (;@1;)
      local.get 0
      i32.const 7
      i32.and
      local.set 2
      i32.const 0
      local.set 3
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
        local.set 4
        i32.const 0
        local.set 3
        i32.const 1056
        local.set 5
        loop  ;; label = @3
          local.get 5
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const 24
          i32.add
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const 16
          i32.add
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const 8
          i32.add
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const -8
          i32.add
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const -16
          i32.add
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const -24
          i32.add
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const -32
          i32.add
          i64.const 4607182418800017408
          i64.store
          local.get 5
          i32.const 64
          i32.add
          local.set 5
          local.get 4
          local.get 3
          i32.const 8
          i32.add
          local.tee 3
          i32.ne
          br_if 0 (;@3;)
        end
      end
      local.get 2
      i32.eqz
      br_if 0 (;@1;)
      local.get 3
      i32.const 3
      i32.shl
      i32.const 1024
      i32.add
      local.set 5
      loop  ;; label = @2
        local.get 5
        i64.const 4607182418800017408
        i64.store
        local.get 5
        i32.const 8
        i32.add
        local.set 5
        local.get 2
        i32.const -1
        i32.add
        local.tee 2
        br_if 0 (;@2;)
      end
    end
    i32.const 0
    local.set 6
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            loop  ;; label = @5
              block  ;; label = @6
                local.get 1
                br_if 0 (;@6;)
                i32.const 0
                local.set 4
                loop  ;; label = @7
                  local.get 4
                  i32.const 1
                  i32.add
                  local.set 7
                  f64.const 0x0p+0 (;=0;)
                  local.set 8
                  i32.const 1024
                  local.set 5
                  i32.const 0
                  local.set 2
                  loop  ;; label = @8
                    f64.const 0x1p+0 (;=1;)
                    local.get 4
                    local.get 2
                    i32.add
                    local.tee 3
                    i32.const 1
                    i32.add
                    local.get 3
                    i32.mul
                    i32.const 1
                    i32.shr_u
                    local.get 7
                    i32.add
                    f64.convert_i32_s
                    f64.div
                    local.get 5
                    f64.load
                    f64.mul
                    local.get 8
                    f64.add
                    local.set 8
                    local.get 5
                    i32.const 8
                    i32.add
                    local.set 5
                    local.get 0
                    local.get 2
                    i32.const 1
                    i32.add
                    local.tee 2
                    i32.ne
                    br_if 0 (;@8;)
                  end
                  local.get 4
                  i32.const 3
                  i32.shl
                  i32.const 9024
                  i32.add
                  local.get 8
                  f64.store
                  local.get 7
                  local.set 4
                  local.get 7
                  local.get 0
                  i32.ne
                  br_if 0 (;@7;)
                end
                i32.const 2
                local.set 7
                i32.const 0
                local.set 9
                i32.const 0
                local.set 10
                loop  ;; label = @7
                  f64.const 0x0p+0 (;=0;)
                  local.set 8
                  i32.const 9024
                  local.set 5
                  local.get 9
                  local.set 2
                  local.get 7
                  local.set 3
                  i32.const 0
                  local.set 4
                  loop  ;; label = @8
                    f64.const 0x1p+0 (;=1;)
                    local.get 2
                    i32.const 1
                    i32.shr_u
                    local.get 4
                    i32.add
                    i32.const 1
                    i32.add
                    f64.convert_i32_s
                    f64.div
                    local.get 5
                    f64.load
                    f64.mul
                    local.get 8
                    f64.add
                    local.set 8
                    local.get 2
                    local.get 3
                    i32.add
                    local.set 2
                    local.get 3
                    i32.const 2
                    i32.add
                    local.set 3
                    local.get 5
                    i32.const 8
                    i32.add
                    local.set 5
                    local.get 0
                    local.get 4
                    i32.const 1
                    i32.add
                    local.tee 4
                    i32.ne
                    br_if 0 (;@8;)
                  end
                  local.get 10
                  i32.const 3
                  i32.shl
                  i32.const 17024
                  i32.add
                  local.get 8
                  f64.store
                  local.get 9
                  local.get 7
                  i32.add
                  local.set 9
                  local.get 7
                  i32.const 2
                  i32.add
                  local.set 7
                  local.get 10
                  i32.const 1
                  i32.add
                  local.tee 10
                  local.get 0
                  i32.ne
                  br_if 0 (;@7;)
                end
                i32.const 0
                local.set 4
                loop  ;; label = @7
                  local.get 4
                  i32.const 1
                  i32.add
                  local.set 7
                  f64.const 0x0p+0 (;=0;)
                  local.set 8
                  i32.const 17024
                  local.set 5
                  i32.const 0
                  local.set 2
                  loop  ;; label = @8
                    f64.const 0x1p+0 (;=1;)
                    local.get 4
                    local.get 2
                    i32.add
                    local.tee 3
                    i32.const 1
                    i32.add
                    local.get 3
                    i32.mul
                    i32.const 1
                    i32.shr_u
                    local.get 7
                    i32.add
                    f64.convert_i32_s
                    f64.div
                    local.get 5
                    f64.load
                    f64.mul
                    local.get 8
                    f64.add
                    local.set 8
                    local.get 5
                    i32.const 8
                    i32.add
                    local.set 5
                    local.get 0
                    local.get 2
                    i32.const 1
                    i32.add
                    local.tee 2
                    i32.ne
                    br_if 0 (;@8;)
                  end
                  local.get 4
                  i32.const 3
                  i32.shl
                  i32.const 9024
                  i32.add
                  local.get 8
                  f64.store
                  local.get 7
                  local.set 4
                  local.get 7
                  local.get 0
                  i32.ne
                  br_if 0 (;@7;)
                end
                i32.const 2
                local.set 7
                i32.const 0
                local.set 9
                i32.const 0
                local.set 10
                loop  ;; label = @7
                  f64.const 0x0p+0 (;=0;)
                  local.set 8
                  i32.const 9024
                  local.set 5
                  local.get 9
                  local.set 2
                  local.get 7
                  local.set 3
                  i32.const 0
                  local.set 4
                  loop  ;; label = @8
                    f64.const 0x1p+0 (;=1;)
                    local.get 2
                    i32.const 1
                    i32.shr_u
                    local.get 4
                    i32.add
                    i32.const 1
                    i32.add
                    f64.convert_i32_s
                    f64.div
                    local.get 5
                    f64.load
                    f64.mul
                    local.get 8
                    f64.add
                    local.set 8
                    local.get 2
                    local.get 3
                    i32.add
                    local.set 2
                    local.get 3
                    i32.const 2
                    i32.add
                    local.set 3
                    local.get 5
                    i32.const 8
                    i32.add
                    local.set 5
                    local.get 0
                    local.get 4
                    i32.const 1
                    i32.add
                    local.tee 4
                    i32.ne
                    br_if 0 (;@8;)
                  end
                  local.get 10
                  i32.const 3
                  i32.shl
                  i32.const 1024
                  i32.add
                  local.get 8
                  f64.store
                  local.get 9
                  local.get 7
                  i32.add
                  local.set 9
                  local.get 7
                  i32.const 2
                  i32.add
                  local.set 7
                  local.get 10
                  i32.const 1
                  i32.add
                  local.tee 10
                  local.get 0
                  i32.ne
                  br_if 0 (;@7;)
                end
                local.get 6
                i32.const 1
                i32.add
                local.tee 6
                i32.const 10
                i32.ne
                br_if 1 (;@5;)
                local.get 0
                i32.const 1
                i32.lt_s
                br_if 2 (;@4;)
                local.get 0
                i32.const 1
                i32.and
                local.set 3
                local.get 0
                i32.const 1
                i32.ne
                br_if 3 (;@3;)
                f64.const 0x0p+0 (;=0;)
                local.set 11
                i32.const 0
                local.set 5
                f64.const 0x0p+0 (;=0;)
                local.set 12
                br 4 (;@2;)
              end
              local.get 6
              i32.const 1
              i32.add
              local.tee 6
              i32.const 10
              i32.ne
              br_if 0 (;@5;)
            end
          end
          f64.const nan (;=nan;)
          local.set 8
          br 2 (;@1;)
        end
        local.get 0
        i32.const -2
        i32.and
        local.set 2
        f64.const 0x0p+0 (;=0;)
        local.set 11
        i32.const 0
        local.set 0
        i32.const 0
        local.set 5
        f64.const 0x0p+0 (;=0;)
        local.set 12
        loop  ;; label = @3
          local.get 0
          i32.const 1032
          i32.add
          f64.load
          local.get 0
          i32.const 17032
          i32.add
          f64.load
          local.tee 8
          f64.mul
          local.get 0
          i32.const 1024
          i32.add
          f64.load
          local.get 0
          i32.const 17024
          i32.add
          f64.load
          local.tee 13
          f64.mul
          local.get 12
          f64.add
          f64.add
          local.set 12
          local.get 8
          local.get 8
          f64.mul
          local.get 13
          local.get 13
          f64.mul
          local.get 11
          f64.add
          f64.add
          local.set 11
          local.get 0
          i32.const 16
          i32.add
          local.set 0
          local.get 2
          local.get 5
          i32.const 2
          i32.add
          local.tee 5
          i32.ne
          br_if 0 (;@3;)
        end
      end
      block  ;; label = @2
        local.get 3
        i32.eqz
        br_if 0 (;@2;)
        local.get 5
        i32.const 3
        i32.shl
        local.tee 0
        i32.const 1024
        i32.add
        f64.load
        local.get 0
        i32.const 17024
        i32.add
        f64.load
        local.tee 8
        f64.mul
        local.get 12
        f64.add
        local.set 12
        local.get 8
        local.get 8
        f64.mul
        local.get 11
        f64.add
        local.set 11
      end
      local.get 12
      local.get 11
      f64.div
      local.set 8
    end
    block  ;; label = @1
      local.get 8
      f64.sqrt
      f64.const 0x1p+30 (;=1.07374e+09;)
      f64.mul
      local.tee 8
      f64.abs
      f64.const 0x1p+31 (;=2.14748e+09;)
      f64.lt
      i32.eqz
      br_if 0 (;@1;)
      local.get 8
      i32.trunc_f64_s
      return
    end
    i32.const -2147483648)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 2)
  (global (;0;) (mut i32) (i32.const 90560))
  (export "memory" (memory 0))
  (export "run" (func 0)))
