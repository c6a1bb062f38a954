(module
  (type (;0;) (func (param i32) (result i64)))
  (func (;0;) (type 0) (param i32) (result i64)
    (local i32 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 i32 i32 i32 i32 i32 i32 i32 i32 f64 f64 f64 f64 i32 f64 f64 i32)
    i32.const 0
    local.set 1
    i32.const 0
    i64.const 4580160821035794432
    i64.store offset=1296
    i32.const 0
    i64.const 4602678819172646912
    i64.store offset=1288
    i32.const 0
    i64.const 4609434218613702656
    i64.store offset=1280
    i32.const 0
    i64.const 0
    i64.store offset=1272
    i32.const 0
    i64.const 4607182418800017408
    i64.store offset=1264
    i32.const 0
    i64.const 4611686018427387904
    i64.store offset=1256
    i32.const 0
    i64.const 4625196817309499392
    i64.store offset=1248
    i32.const 0
    i64.const 4581662020911584597
    i64.store offset=1240
    i32.const 0
    i64.const 4600427019358961664
    i64.store offset=1232
    i32.const 0
    i64.const 4610479282544200875
    i64.store offset=1224
    i32.const 0
    i64.const 0
    i64.store offset=1216
    i32.const 0
    i64.const 4604930618986332160
    i64.store offset=1208
    i32.const 0
    i64.const -4613937818241073152
    i64.store offset=1200
    i32.const 0
    i64.const 4622945017495814144
    i64.store offset=1192
    i32.const 0
    i64.const 4584664420663164928
    i64.store offset=1184
    i32.const 0
    i64.const 4598175219545276416
    i64.store offset=1176
    i32.const 0
    i64.const 4611959207554411737
    i64.store offset=1168
    i32.const 0
    i64.const 0
    i64.store offset=1160
    i32.const 0
    i64.const 4602678819172646912
    i64.store offset=1152
    i32.const 0
    i64.const 4607182418800017408
    i64.store offset=1144
    i32.const 0
    i64.const 4620693217682128896
    i64.store offset=1136
    i32.const 0
    i64.const 4589168020290535424
    i64.store offset=1128
    i32.const 0
    i64.const 4593671619917905920
    i64.store offset=1120
    i32.const 0
    i64.const 4613937818241073152
    i64.store offset=1112
    i32.const 0
    i64.const 0
    i64.store offset=1104
    i32.const 0
    i64.const 4598175219545276416
    i64.store offset=1096
    i32.const 0
    i64.const -4620693217682128896
    i64.store offset=1088
    i32.const 0
    i64.const 4616189618054758400
    i64.store offset=1080
    i32.const 0
    i64.const 4630826316843712512
    i64.store offset=1072
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
    i64.const 0
    i64.store offset=1032
    i32.const 0
    i64.const 0
    i64.store offset=1024
    f64.const 0x0p+0 (;=0;)
    local.set 2
    f64.const 0x0p+0 (;=0;)
    local.set 3
    f64.const 0x0p+0 (;=0;)
    local.set 4
    f64.const 0x0p+0 (;=0;)
    local.set 5
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      f64.const 0x0p+0 (;=0;)
      local.set 6
      f64.const 0x1p+2 (;=4;)
      local.set 7
      f64.const -0x1p-1 (;=-0.5;)
      local.set 8
      f64.const 0x1p-2 (;=0.25;)
      local.set 9
      f64.const 0x1p+3 (;=8;)
      local.set 10
      f64.const 0x1p-1 (;=0.5;)
      local.set 11
      f64.const 0x1.8p+3 (;=12;)
      local.set 12
      f64.const -0x1.8p+0 (;=-1.5;)
      local.set 13
      f64.const 0x1.8p-1 (;=0.75;)
      local.set 14
      f64.const 0x1p+4 (;=16;)
      local.set 15
      f64.const 0x1p+1 (;=2;)
      local.set 16
      f64.const 0x1p+0 (;=1;)
      local.set 17
      f64.const 0x1p+0 (;=1;)
      local.set 18
      f64.const 0x0p+0 (;=0;)
      local.set 19
      f64.const 0x0p+0 (;=0;)
      local.set 20
      i32.const 0
      local.set 21
      loop  ;; label = @2
        i32.const 4
        local.set 22
        i32.const 1128
        local.set 23
        i32.const 0
        local.set 24
        loop  ;; label = @3
          local.get 24
          local.tee 25
          i32.const 1
          i32.add
          local.set 24
          block  ;; label = @4
            local.get 25
            i32.const 3
            i32.gt_u
            br_if 0 (;@4;)
            local.get 25
            i32.const 56
            i32.mul
            local.tee 25
            i32.const 1064
            i32.add
            local.set 26
            local.get 25
            i32.const 1056
            i32.add
            local.set 27
            local.get 25
            i32.const 1048
            i32.add
            local.set 28
            local.get 25
            i32.const 1072
            i32.add
            f64.load
            local.set 29
            local.get 25
            i32.const 1040
            i32.add
            f64.load
            local.set 30
            local.get 25
            i32.const 1032
            i32.add
            f64.load
            local.set 31
            local.get 25
            i32.const 1024
            i32.add
            f64.load
            local.set 32
            local.get 23
            local.set 25
            local.get 22
            local.set 33
            loop  ;; label = @5
              local.get 28
              local.get 28
              f64.load
              local.get 25
              f64.load
              local.tee 34
              local.get 32
              local.get 25
              i32.const -48
              i32.add
              f64.load
              f64.sub
              local.tee 35
              f64.mul
              f64.const 0x1p-10 (;=0.000976562;)
              local.get 30
              local.get 25
              i32.const -32
              i32.add
              f64.load
              f64.sub
              local.tee 4
              local.get 4
              f64.mul
              local.get 35
              local.get 35
              f64.mul
              local.get 31
              local.get 25
              i32.const -40
              i32.add
              f64.load
              f64.sub
              local.tee 5
              local.get 5
              f64.mul
              f64.add
              f64.add
              local.tee 3
              local.get 3
              f64.sqrt
              f64.mul
              f64.div
              local.tee 3
              f64.mul
              f64.sub
              f64.store
              local.get 27
              local.get 27
              f64.load
              local.get 34
              local.get 5
              f64.mul
              local.get 3
              f64.mul
              f64.sub
              f64.store
              local.get 26
              local.get 26
              f64.load
              local.get 34
              local.get 4
              f64.mul
              local.get 3
              f64.mul
              f64.sub
              f64.store
              local.get 25
              i32.const -24
              i32.add
              local.tee 36
              local.get 29
              local.get 35
              f64.mul
              local.get 3
              f64.mul
              local.get 36
              f64.load
              f64.add
              f64.store
              local.get 25
              i32.const -16
              i32.add
              local.tee 36
              local.get 29
              local.get 5
              f64.mul
              local.get 3
              f64.mul
              local.get 36
              f64.load
              f64.add
              f64.store
              local.get 25
              i32.const -8
              i32.add
              local.tee 36
              local.get 29
              local.get 4
              f64.mul
              local.get 3
              f64.mul
              local.get 36
              f64.load
              f64.add
              f64.store
              local.get 25
              i32.const 56
              i32.add
              local.set 25
              local.get 33
              i32.const -1
              i32.add
              local.tee 33
              br_if 0 (;@5;)
            end
          end
          local.get 23
          i32.const 56
          i32.add
          local.set 23
          local.get 22
          i32.const -1
          i32.add
          local.set 22
          local.get 24
          i32.const 5
          i32.ne
          br_if 0 (;@3;)
        end
        i32.const 0
        i32.const 0
        f64.load offset=1048
        local.tee 5
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 20
        f64.add
        local.tee 20
        f64.store offset=1024
        i32.const 0
        i32.const 0
        f64.load offset=1056
        local.tee 4
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 19
        f64.add
        local.tee 19
        f64.store offset=1032
        i32.const 0
        i32.const 0
        f64.load offset=1064
        local.tee 3
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 6
        f64.add
        local.tee 6
        f64.store offset=1040
        i32.const 0
        i32.const 0
        f64.load offset=1104
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 7
        f64.add
        local.tee 7
        f64.store offset=1080
        i32.const 0
        i32.const 0
        f64.load offset=1112
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 8
        f64.add
        local.tee 8
        f64.store offset=1088
        i32.const 0
        i32.const 0
        f64.load offset=1120
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 9
        f64.add
        local.tee 9
        f64.store offset=1096
        i32.const 0
        i32.const 0
        f64.load offset=1160
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 10
        f64.add
        local.tee 10
        f64.store offset=1136
        i32.const 0
        i32.const 0
        f64.load offset=1168
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 18
        f64.add
        local.tee 18
        f64.store offset=1144
        i32.const 0
        i32.const 0
        f64.load offset=1176
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 11
        f64.add
        local.tee 11
        f64.store offset=1152
        i32.const 0
        i32.const 0
        f64.load offset=1216
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 12
        f64.add
        local.tee 12
        f64.store offset=1192
        i32.const 0
        i32.const 0
        f64.load offset=1224
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 13
        f64.add
        local.tee 13
        f64.store offset=1200
        i32.const 0
        i32.const 0
        f64.load offset=1232
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 14
        f64.add
        local.tee 14
        f64.store offset=1208
        i32.const 0
        i32.const 0
        f64.load offset=1272
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 15
        f64.add
        local.tee 15
        f64.store offset=1248
        i32.const 0
        i32.const 0
        f64.load offset=1280
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 16
        f64.add
        local.tee 16
        f64.store offset=1256
        i32.const 0
        i32.const 0
        f64.load offset=1288
        f64.const 0x1p-10 (;=0.000976562;)
        f64.mul
        local.get 17
        f64.add
        local.tee 17
        f64.store offset=1264
        local.get 21
        i32.const 1
        i32.add
        local.tee 21
        local.get 0
        i32.ne
        br_if 0 (;@2;)
      end
    end
    i32.const 4
    local.set 33
    i32.const 1128
    local.set 28
    loop  ;; label = @1
      local.get 1
      i32.const 56
      i32.mul
      local.tee 25
      i32.const 1072
      i32.add
      f64.load
      local.tee 35
      f64.const 0x1p-1 (;=0.5;)
      f64.mul
      local.get 3
      local.get 3
      f64.mul
      local.get 5
      local.get 5
      f64.mul
      local.get 4
      local.get 4
      f64.mul
      f64.add
      f64.add
      f64.mul
      local.get 2
      f64.add
      local.set 2
      local.get 1
      i32.const 1
      i32.add
      local.set 27
      block  ;; label = @2
        local.get 1
        i32.const 3
        i32.gt_u
        br_if 0 (;@2;)
        local.get 25
        i32.const 1040
        i32.add
        f64.load
        local.set 4
        local.get 25
        i32.const 1032
        i32.add
        f64.load
        local.set 5
        local.get 25
        i32.const 1024
        i32.add
        f64.load
        local.set 29
        local.get 28
        local.set 25
        local.get 33
        local.set 26
        loop  ;; label = @3
          local.get 2
          local.get 35
          local.get 25
          f64.load
          f64.mul
          local.get 4
          local.get 25
          i32.const -32
          i32.add
          f64.load
          f64.sub
          local.tee 3
          local.get 3
          f64.mul
          local.get 29
          local.get 25
          i32.const -48
          i32.add
          f64.load
          f64.sub
          local.tee 3
          local.get 3
          f64.mul
          local.get 5
          local.get 25
          i32.const -40
          i32.add
          f64.load
          f64.sub
          local.tee 3
          local.get 3
          f64.mul
          f64.add
          f64.add
          f64.sqrt
          f64.div
          f64.sub
          local.set 2
          local.get 25
          i32.const 56
          i32.add
          local.set 25
          local.get 26
          i32.const -1
          i32.add
          local.tee 26
          br_if 0 (;@3;)
        end
      end
      block  ;; label = @2
        local.get 27
        i32.const 5
        i32.eq
        br_if 0 (;@2;)
        local.get 28
        i32.const 56
        i32.add
        local.set 28
        local.get 33
        i32.const -1
        i32.add
        local.set 33
        local.get 27
        i32.const 56
        i32.mul
        local.tee 25
        i32.const 1064
        i32.add
        f64.load
        local.set 3
        local.get 25
        i32.const 1056
        i32.add
        f64.load
        local.set 4
        local.get 25
        i32.const 1048
        i32.add
        f64.load
        local.set 5
        local.get 27
        local.set 1
        br 1 (;@1;)
      end
    end
    block  ;; label = @1
      local.get 2
      f64.const 0x1p+40 (;=1.09951e+12;)
      f64.mul
      local.tee 3
      f64.abs
      f64.const 0x1p+63 (;=9.22337e+18;)
      f64.lt
      i32.eqz
      br_if 0 (;@1;)
      local.get 3
      i64.trunc_f64_s
      return
    end
    i64.const -9223372036854775808)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 2)
  (global (;0;) (mut i32) (i32.const 66848))
  (export "memory" (memory 0))
  (export "run" (func 0)))
