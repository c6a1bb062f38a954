(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (param i32)))
  (type (;2;) (func (result i32)))
  (type (;3;) (func (param i32 i32) (result i32)))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32 i32 i32 i32)
    i32.const 0
    i64.const 0
    i64.store offset=1096
    i32.const 0
    i64.const 0
    i64.store offset=1088
    i32.const 0
    i64.const 0
    i64.store offset=1080
    i32.const 0
    i64.const 0
    i64.store offset=1072
    i32.const 0
    i32.const 91
    i32.store8 offset=1120
    i32.const 0
    i32.const 1
    i32.store offset=1104
    i32.const 0
    i32.const 0
    i32.store offset=1060
    i32.const 1
    local.set 1
    i32.const 0
    local.set 2
    loop  ;; label = @1
      block  ;; label = @2
        i32.const 1040
        i32.const 1043
        local.get 2
        select
        local.tee 3
        i32.load8_u
        local.tee 4
        i32.eqz
        br_if 0 (;@2;)
        local.get 3
        i32.const 1
        i32.add
        local.set 3
        loop  ;; label = @3
          local.get 1
          i32.const 1120
          i32.add
          local.get 4
          i32.store8
          local.get 1
          i32.const 1
          i32.add
          local.set 1
          local.get 3
          i32.load8_u
          local.set 4
          local.get 3
          i32.const 1
          i32.add
          local.set 3
          local.get 4
          br_if 0 (;@3;)
        end
        i32.const 0
        local.get 1
        i32.store offset=1104
      end
      local.get 2
      i32.const 37
      i32.mul
      call 1
      i32.const 0
      i32.load offset=1104
      local.tee 1
      i32.const 1120
      i32.add
      i32.const 44
      i32.store8
      local.get 1
      i32.const 1121
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1122
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1123
      i32.add
      i32.const 110
      i32.store8
      local.get 1
      i32.const 1124
      i32.add
      i32.const 97
      i32.store8
      local.get 1
      i32.const 1125
      i32.add
      i32.const 109
      i32.store8
      local.get 1
      i32.const 1126
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1127
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1128
      i32.add
      i32.const 58
      i32.store8
      local.get 1
      i32.const 1129
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1130
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1131
      i32.add
      i32.const 114
      i32.store8
      local.get 1
      i32.const 1132
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1133
      i32.add
      i32.const 99
      i32.store8
      local.get 1
      i32.const 1134
      i32.add
      i32.const 111
      i32.store8
      local.get 1
      i32.const 1135
      i32.add
      i32.const 114
      i32.store8
      local.get 1
      i32.const 1136
      i32.add
      i32.const 100
      i32.store8
      local.get 1
      i32.const 1137
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1139
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1138
      i32.add
      i32.const 92
      i32.store8
      i32.const 0
      local.get 1
      i32.const 20
      i32.add
      i32.store offset=1104
      local.get 2
      call 1
      i32.const 0
      i32.load offset=1104
      local.tee 1
      i32.const 1120
      i32.add
      i32.const 92
      i32.store8
      local.get 1
      i32.const 1121
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1122
      i32.add
      i32.const 92
      i32.store8
      local.get 1
      i32.const 1123
      i32.add
      i32.const 110
      i32.store8
      local.get 1
      i32.const 1124
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1125
      i32.add
      i32.const 44
      i32.store8
      local.get 1
      i32.const 1126
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1127
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1128
      i32.add
      i32.const 112
      i32.store8
      local.get 1
      i32.const 1129
      i32.add
      i32.const 114
      i32.store8
      local.get 1
      i32.const 1130
      i32.add
      i32.const 105
      i32.store8
      local.get 1
      i32.const 1131
      i32.add
      i32.const 99
      i32.store8
      local.get 1
      i32.const 1132
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1133
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1134
      i32.add
      i32.const 58
      i32.store8
      local.get 1
      i32.const 1135
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1136
      i32.add
      i32.const 45
      i32.store8
      i32.const 0
      local.get 1
      i32.const 17
      i32.add
      i32.store offset=1104
      local.get 2
      i32.const 7
      i32.mul
      call 1
      i32.const 0
      i32.load offset=1104
      local.tee 1
      i32.const 1120
      i32.add
      i32.const 46
      i32.store8
      i32.const 0
      local.get 1
      i32.const 1
      i32.add
      i32.store offset=1104
      local.get 2
      i32.const 10
      i32.rem_u
      call 1
      i32.const 0
      i32.load offset=1104
      local.tee 1
      i32.const 1120
      i32.add
      i32.const 53
      i32.store8
      local.get 1
      i32.const 1121
      i32.add
      i32.const 44
      i32.store8
      local.get 1
      i32.const 1122
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1123
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1124
      i32.add
      i32.const 116
      i32.store8
      local.get 1
      i32.const 1125
      i32.add
      i32.const 97
      i32.store8
      local.get 1
      i32.const 1126
      i32.add
      i32.const 103
      i32.store8
      local.get 1
      i32.const 1127
      i32.add
      i32.const 115
      i32.store8
      local.get 1
      i32.const 1128
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1129
      i32.add
      i32.const 58
      i32.store8
      local.get 1
      i32.const 1130
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1131
      i32.add
      i32.const 91
      i32.store8
      local.get 1
      i32.const 1132
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1133
      i32.add
      i32.const 114
      i32.store8
      local.get 1
      i32.const 1134
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1135
      i32.add
      i32.const 100
      i32.store8
      local.get 1
      i32.const 1136
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1137
      i32.add
      i32.const 44
      i32.store8
      local.get 1
      i32.const 1139
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1138
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1140
      i32.add
      i32.const 103
      i32.store8
      local.get 1
      i32.const 1141
      i32.add
      i32.const 114
      i32.store8
      local.get 1
      i32.const 1142
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1143
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1144
      i32.add
      i32.const 110
      i32.store8
      local.get 1
      i32.const 1145
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1146
      i32.add
      i32.const 44
      i32.store8
      local.get 1
      i32.const 1147
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 28
      i32.add
      local.set 1
      block  ;; label = @2
        i32.const 1034
        i32.const 1024
        local.get 2
        i32.const 3
        i32.rem_u
        local.tee 4
        i32.const 1
        i32.eq
        select
        i32.const 1029
        local.get 4
        select
        local.tee 3
        i32.load8_u
        local.tee 4
        i32.eqz
        br_if 0 (;@2;)
        local.get 3
        i32.const 1
        i32.add
        local.set 3
        loop  ;; label = @3
          local.get 1
          i32.const 1120
          i32.add
          local.get 4
          i32.store8
          local.get 1
          i32.const 1
          i32.add
          local.set 1
          local.get 3
          i32.load8_u
          local.set 4
          local.get 3
          i32.const 1
          i32.add
          local.set 3
          local.get 4
          br_if 0 (;@3;)
        end
      end
      local.get 1
      i32.const 1121
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1120
      i32.add
      i32.const 44
      i32.store8
      local.get 1
      i32.const 1122
      i32.add
      i32.const 49
      i32.store8
      local.get 1
      i32.const 1123
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1124
      i32.add
      i32.const 51
      i32.store8
      local.get 1
      i32.const 1125
      i32.add
      i32.const 93
      i32.store8
      local.get 1
      i32.const 1126
      i32.add
      i32.const 44
      i32.store8
      local.get 1
      i32.const 1127
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1128
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1129
      i32.add
      i32.const 112
      i32.store8
      local.get 1
      i32.const 1130
      i32.add
      i32.const 108
      i32.store8
      local.get 1
      i32.const 1131
      i32.add
      i32.const 97
      i32.store8
      local.get 1
      i32.const 1132
      i32.add
      i32.const 99
      i32.store8
      local.get 1
      i32.const 1133
      i32.add
      i32.const 101
      i32.store8
      local.get 1
      i32.const 1134
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1135
      i32.add
      i32.const 58
      i32.store8
      local.get 1
      i32.const 1136
      i32.add
      i32.const 32
      i32.store8
      local.get 1
      i32.const 1137
      i32.add
      i32.const 123
      i32.store8
      local.get 1
      i32.const 1138
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1140
      i32.add
      i32.const 34
      i32.store8
      local.get 1
      i32.const 1139
      i32.add
      i32.const 120
      i32.store8
      local.get 1
      i32.const 1141
      i32.add
      i32.const 58
      i32.store8
      local.get 1
      i32.const 1142
      i32.add
      i32.const 32
      i32.store8
      i32.const 0
      local.get 1
      i32.const 23
      i32.add
      i32.store offset=1104
      local.get 2
      i32.const 13
      i32.rem_u
      call 1
      i32.const 0
      i32.load offset=1104
      local.tee 4
      i32.const 1120
      i32.add
      i32.const 44
      i32.store8
      local.get 4
      i32.const 1121
      i32.add
      i32.const 32
      i32.store8
      local.get 4
      i32.const 1122
      i32.add
      i32.const 34
      i32.store8
      local.get 4
      i32.const 1123
      i32.add
      i32.const 121
      i32.store8
      local.get 4
      i32.const 1124
      i32.add
      i32.const 34
      i32.store8
      local.get 4
      i32.const 1125
      i32.add
      i32.const 58
      i32.store8
      local.get 4
      i32.const 1126
      i32.add
      i32.const 32
      i32.store8
      local.get 4
      i32.const 1127
      i32.add
      i32.const 91
      i32.store8
      local.get 4
      i32.const 1128
      i32.add
      i32.const 93
      i32.store8
      local.get 4
      i32.const 1129
      i32.add
      i32.const 44
      i32.store8
      local.get 4
      i32.const 1130
      i32.add
      i32.const 32
      i32.store8
      local.get 4
      i32.const 1131
      i32.add
      i32.const 34
      i32.store8
      local.get 4
      i32.const 1132
      i32.add
      i32.const 122
      i32.store8
      local.get 4
      i32.const 1133
      i32.add
      i32.const 34
      i32.store8
      local.get 4
      i32.const 1134
      i32.add
      i32.const 58
      i32.store8
      local.get 4
      i32.const 1135
      i32.add
      i32.const 32
      i32.store8
      local.get 4
      i32.const 1136
      i32.add
      i32.const 123
      i32.store8
      local.get 4
      i32.const 1137
      i32.add
      i32.const 125
      i32.store8
      local.get 4
      i32.const 1139
      i32.add
      i32.const 125
      i32.store8
      local.get 4
      i32.const 1138
      i32.add
      i32.const 125
      i32.store8
      i32.const 0
      local.get 4
      i32.const 20
      i32.add
      local.tee 1
      i32.store offset=1104
      local.get 2
      i32.const 1
      i32.add
      local.tee 2
      i32.const 200
      i32.ne
      br_if 0 (;@1;)
    end
    i32.const 0
    local.set 1
    i32.const 0
    local.get 4
    i32.const 21
    i32.add
    i32.store offset=1104
    local.get 4
    i32.const 1140
    i32.add
    i32.const 93
    i32.store8
    block  ;; label = @1
      local.get 0
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      i32.const 0
      local.set 1
      loop  ;; label = @2
        i32.const 0
        i32.const 0
        i32.store offset=1056
        call 2
        local.tee 4
        local.get 1
        call 3
        local.set 1
        local.get 4
        call 4
        local.get 0
        i32.const -1
        i32.add
        local.tee 0
        br_if 0 (;@2;)
      end
    end
    local.get 1)
  (func (;1;) (type 1) (param i32)
    (local i32)
    block  ;; label = @1
      local.get 0
      i32.const 10
      i32.lt_s
      br_if 0 (;@1;)
      local.get 0
      i32.const 10
      i32.div_u
      call 1
    end
    i32.const 0
    i32.load offset=1104
    local.tee 1
    i32.const 1120
    i32.add
    local.get 0
    i32.const 10
    i32.rem_s
    i32.const 48
    i32.add
    i32.store8
    i32.const 0
    local.get 1
    i32.const 1
    i32.add
    i32.store offset=1104)
  (func (;2;) (type 2) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 f64)
    global.get 0
    i32.const 16
    i32.sub
    local.tee 0
    global.set 0
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          i32.const 0
          i32.load offset=1080
          local.tee 1
          i32.eqz
          br_if 0 (;@3;)
          i32.const 0
          local.get 1
          i32.load
          i32.store offset=1080
          br 1 (;@2;)
        end
        i32.const 0
        i32.const 0
        i32.load offset=1060
        local.tee 2
        i32.const 48
        i32.add
        local.tee 3
        i32.store offset=1060
        local.get 3
        i32.const 16777217
        i32.ge_u
        br_if 1 (;@1;)
        local.get 2
        i32.const 66656
        i32.add
        local.set 1
      end
      local.get 1
      i32.const 0
      i32.store offset=12
      local.get 1
      i32.const 0
      i32.store
      local.get 1
      i64.const 0
      i64.store offset=4 align=4
      local.get 1
      i64.const 0
      i64.store offset=24
      local.get 1
      i64.const 0
      i64.store offset=16
      local.get 1
      i32.const 28
      i32.add
      local.set 2
      local.get 1
      i32.const 4
      i32.add
      local.set 4
      i32.const 0
      i32.load offset=1056
      local.set 3
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  block  ;; label = @8
                    loop  ;; label = @9
                      block  ;; label = @10
                        block  ;; label = @11
                          local.get 3
                          i32.const 1120
                          i32.add
                          i32.load8_u
                          local.tee 5
                          i32.const -10
                          i32.add
                          br_table 1 (;@10;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 8 (;@3;) 1 (;@10;) 8 (;@3;) 4 (;@7;) 0 (;@11;)
                        end
                        local.get 5
                        i32.const -91
                        i32.add
                        br_table 2 (;@8;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 5 (;@5;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 6 (;@4;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 4 (;@6;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 7 (;@3;) 2 (;@8;) 7 (;@3;)
                      end
                      i32.const 0
                      local.get 3
                      i32.const 1
                      i32.add
                      local.tee 3
                      i32.store offset=1056
                      br 0 (;@9;)
                    end
                  end
                  i32.const 0
                  local.get 3
                  i32.const 1
                  i32.add
                  local.tee 3
                  i32.store offset=1056
                  local.get 1
                  i32.const 6
                  i32.const 5
                  local.get 5
                  i32.const 123
                  i32.eq
                  select
                  i32.store offset=32
                  block  ;; label = @8
                    loop  ;; label = @9
                      block  ;; label = @10
                        local.get 3
                        i32.const 1120
                        i32.add
                        i32.load8_u
                        local.tee 2
                        i32.const 32
                        i32.eq
                        br_if 0 (;@10;)
                        local.get 2
                        i32.const 10
                        i32.ne
                        br_if 2 (;@8;)
                      end
                      i32.const 0
                      local.get 3
                      i32.const 1
                      i32.add
                      local.tee 3
                      i32.store offset=1056
                      br 0 (;@9;)
                    end
                  end
                  block  ;; label = @8
                    i32.const 125
                    i32.const 93
                    local.get 5
                    i32.const 123
                    i32.eq
                    select
                    local.tee 6
                    local.get 2
                    i32.eq
                    br_if 0 (;@8;)
                    local.get 5
                    i32.const 123
                    i32.ne
                    local.set 7
                    loop  ;; label = @9
                      local.get 0
                      i32.const 0
                      i32.store offset=12
                      block  ;; label = @10
                        loop  ;; label = @11
                          block  ;; label = @12
                            local.get 3
                            i32.const 1120
                            i32.add
                            i32.load8_u
                            local.tee 2
                            i32.const 32
                            i32.eq
                            br_if 0 (;@12;)
                            local.get 2
                            i32.const 10
                            i32.ne
                            br_if 2 (;@10;)
                          end
                          i32.const 0
                          local.get 3
                          i32.const 1
                          i32.add
                          local.tee 3
                          i32.store offset=1056
                          br 0 (;@11;)
                        end
                      end
                      i32.const 0
                      local.set 3
                      i32.const 0
                      local.set 8
                      block  ;; label = @10
                        local.get 7
                        br_if 0 (;@10;)
                        local.get 0
                        i32.const 12
                        i32.add
                        call 5
                        local.set 8
                        i32.const 0
                        i32.load offset=1056
                        local.set 3
                        block  ;; label = @11
                          loop  ;; label = @12
                            block  ;; label = @13
                              local.get 3
                              i32.const 1120
                              i32.add
                              i32.load8_u
                              local.tee 2
                              i32.const 32
                              i32.eq
                              br_if 0 (;@13;)
                              local.get 2
                              i32.const 10
                              i32.ne
                              br_if 2 (;@11;)
                            end
                            i32.const 0
                            local.get 3
                            i32.const 1
                            i32.add
                            local.tee 3
                            i32.store offset=1056
                            br 0 (;@12;)
                          end
                        end
                        i32.const 0
                        local.get 3
                        i32.const 1
                        i32.add
                        i32.store offset=1056
                        local.get 2
                        i32.const 58
                        i32.ne
                        br_if 9 (;@1;)
                        local.get 0
                        i32.load offset=12
                        local.set 3
                      end
                      call 2
                      local.tee 5
                      local.get 8
                      i32.store offset=8
                      local.get 5
                      local.get 3
                      i32.store offset=24
                      local.get 4
                      local.get 5
                      i32.store
                      i32.const 0
                      i32.load offset=1056
                      local.set 3
                      block  ;; label = @10
                        loop  ;; label = @11
                          block  ;; label = @12
                            block  ;; label = @13
                              local.get 3
                              i32.const 1120
                              i32.add
                              i32.load8_u
                              local.tee 2
                              i32.const -32
                              i32.add
                              br_table 1 (;@12;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 5 (;@8;) 3 (;@10;) 0 (;@13;)
                            end
                            local.get 2
                            i32.const 10
                            i32.ne
                            br_if 4 (;@8;)
                          end
                          i32.const 0
                          local.get 3
                          i32.const 1
                          i32.add
                          local.tee 3
                          i32.store offset=1056
                          br 0 (;@11;)
                        end
                      end
                      i32.const 0
                      local.get 3
                      i32.const 1
                      i32.add
                      local.tee 3
                      i32.store offset=1056
                      local.get 5
                      local.set 4
                      br 0 (;@9;)
                    end
                  end
                  i32.const 0
                  local.get 3
                  i32.const 1
                  i32.add
                  i32.store offset=1056
                  local.get 2
                  local.get 6
                  i32.eq
                  br_if 5 (;@2;)
                  br 6 (;@1;)
                end
                local.get 1
                i32.const 4
                i32.store offset=32
                local.get 1
                local.get 2
                call 5
                i32.store offset=12
                br 4 (;@2;)
              end
              local.get 1
              i32.const 2
              i32.store offset=32
              i32.const 0
              local.get 3
              i32.const 2
              i32.add
              i32.store offset=1056
              local.get 3
              i32.const 1121
              i32.add
              i32.load8_u
              i32.const 114
              i32.ne
              br_if 4 (;@1;)
              i32.const 0
              local.get 3
              i32.const 3
              i32.add
              i32.store offset=1056
              local.get 3
              i32.const 1122
              i32.add
              i32.load8_u
              i32.const 117
              i32.ne
              br_if 4 (;@1;)
              i32.const 0
              local.get 3
              i32.const 4
              i32.add
              i32.store offset=1056
              local.get 3
              i32.const 1123
              i32.add
              i32.load8_u
              i32.const 101
              i32.ne
              br_if 4 (;@1;)
              br 3 (;@2;)
            end
            local.get 1
            i32.const 1
            i32.store offset=32
            i32.const 0
            local.get 3
            i32.const 2
            i32.add
            i32.store offset=1056
            local.get 3
            i32.const 1121
            i32.add
            i32.load8_u
            i32.const 97
            i32.ne
            br_if 3 (;@1;)
            i32.const 0
            local.get 3
            i32.const 3
            i32.add
            i32.store offset=1056
            local.get 3
            i32.const 1122
            i32.add
            i32.load8_u
            i32.const 108
            i32.ne
            br_if 3 (;@1;)
            i32.const 0
            local.get 3
            i32.const 4
            i32.add
            i32.store offset=1056
            local.get 3
            i32.const 1123
            i32.add
            i32.load8_u
            i32.const 115
            i32.ne
            br_if 3 (;@1;)
            i32.const 0
            local.get 3
            i32.const 5
            i32.add
            i32.store offset=1056
            local.get 3
            i32.const 1124
            i32.add
            i32.load8_u
            i32.const 101
            i32.ne
            br_if 3 (;@1;)
            br 2 (;@2;)
          end
          local.get 1
          i32.const 0
          i32.store offset=32
          i32.const 0
          local.get 3
          i32.const 2
          i32.add
          i32.store offset=1056
          local.get 3
          i32.const 1121
          i32.add
          i32.load8_u
          i32.const 117
          i32.ne
          br_if 2 (;@1;)
          i32.const 0
          local.get 3
          i32.const 3
          i32.add
          i32.store offset=1056
          local.get 3
          i32.const 1122
          i32.add
          i32.load8_u
          i32.const 108
          i32.ne
          br_if 2 (;@1;)
          i32.const 0
          local.get 3
          i32.const 4
          i32.add
          i32.store offset=1056
          local.get 3
          i32.const 1123
          i32.add
          i32.load8_u
          i32.const 108
          i32.ne
          br_if 2 (;@1;)
          br 1 (;@2;)
        end
        local.get 1
        i32.const 3
        i32.store offset=32
        block  ;; label = @3
          block  ;; label = @4
            local.get 5
            i32.const 45
            i32.eq
            br_if 0 (;@4;)
            local.get 5
            local.set 2
            local.get 3
            local.set 4
            br 1 (;@3;)
          end
          i32.const 0
          local.get 3
          i32.const 1
          i32.add
          local.tee 4
          i32.store offset=1056
          local.get 3
          i32.const 1121
          i32.add
          i32.load8_u
          local.set 2
        end
        f64.const 0x0p+0 (;=0;)
        local.set 9
        block  ;; label = @3
          block  ;; label = @4
            local.get 2
            i32.const -48
            i32.add
            i32.const 255
            i32.and
            i32.const 9
            i32.le_u
            br_if 0 (;@4;)
            local.get 4
            local.set 8
            br 1 (;@3;)
          end
          f64.const 0x0p+0 (;=0;)
          local.set 9
          loop  ;; label = @4
            local.get 9
            f64.const 0x1.4p+3 (;=10;)
            f64.mul
            local.get 2
            i32.const 255
            i32.and
            i32.const -48
            i32.add
            f64.convert_i32_s
            f64.add
            local.set 9
            local.get 4
            i32.const 1121
            i32.add
            local.set 3
            local.get 4
            i32.const 1
            i32.add
            local.tee 8
            local.set 4
            local.get 3
            i32.load8_u
            local.tee 2
            i32.const -48
            i32.add
            i32.const 255
            i32.and
            i32.const 10
            i32.lt_u
            br_if 0 (;@4;)
          end
          i32.const 0
          local.get 8
          i32.store offset=1056
        end
        i32.const 0
        local.set 3
        block  ;; label = @3
          block  ;; label = @4
            local.get 2
            i32.const 255
            i32.and
            i32.const 46
            i32.eq
            br_if 0 (;@4;)
            local.get 8
            local.set 6
            br 1 (;@3;)
          end
          i32.const 0
          local.set 3
          i32.const 0
          local.get 8
          i32.const 1
          i32.add
          local.tee 6
          i32.store offset=1056
          local.get 8
          i32.const 1121
          i32.add
          i32.load8_u
          local.tee 2
          i32.const -48
          i32.add
          i32.const 255
          i32.and
          i32.const 9
          i32.gt_u
          br_if 0 (;@3;)
          i32.const 0
          local.set 3
          loop  ;; label = @4
            local.get 9
            f64.const 0x1.4p+3 (;=10;)
            f64.mul
            local.get 2
            i32.const 255
            i32.and
            i32.const -48
            i32.add
            f64.convert_i32_s
            f64.add
            local.set 9
            local.get 8
            local.get 3
            i32.add
            local.set 2
            local.get 3
            i32.const 1
            i32.add
            local.tee 4
            local.set 3
            local.get 2
            i32.const 1122
            i32.add
            i32.load8_u
            local.tee 2
            i32.const -48
            i32.add
            i32.const 255
            i32.and
            i32.const 10
            i32.lt_u
            br_if 0 (;@4;)
          end
          i32.const 0
          local.get 8
          local.get 4
          i32.add
          i32.const 1
          i32.add
          local.tee 6
          i32.store offset=1056
          i32.const 0
          local.get 4
          i32.sub
          local.set 3
        end
        block  ;; label = @3
          local.get 2
          i32.const 255
          i32.and
          i32.const 101
          i32.ne
          br_if 0 (;@3;)
          i32.const 0
          local.set 4
          i32.const 0
          local.get 6
          i32.const 1
          i32.add
          local.tee 2
          i32.store offset=1056
          block  ;; label = @4
            local.get 6
            i32.const 1121
            i32.add
            i32.load8_u
            local.tee 8
            i32.const -48
            i32.add
            i32.const 255
            i32.and
            i32.const 9
            i32.gt_u
            br_if 0 (;@4;)
            i32.const 0
            local.set 4
            loop  ;; label = @5
              local.get 8
              i32.const 255
              i32.and
              local.get 4
              i32.const 10
              i32.mul
              i32.add
              i32.const -48
              i32.add
              local.set 4
              local.get 2
              i32.const 1121
              i32.add
              local.set 8
              local.get 2
              i32.const 1
              i32.add
              local.tee 6
              local.set 2
              local.get 8
              i32.load8_u
              local.tee 8
              i32.const -48
              i32.add
              i32.const 255
              i32.and
              i32.const 10
              i32.lt_u
              br_if 0 (;@5;)
            end
            i32.const 0
            local.get 6
            i32.store offset=1056
          end
          local.get 4
          local.get 3
          i32.add
          local.set 3
        end
        block  ;; label = @3
          block  ;; label = @4
            local.get 3
            i32.const 1
            i32.lt_s
            br_if 0 (;@4;)
            local.get 3
            i32.const -1
            i32.add
            local.set 4
            block  ;; label = @5
              local.get 3
              i32.const 7
              i32.and
              local.tee 2
              i32.eqz
              br_if 0 (;@5;)
              loop  ;; label = @6
                local.get 3
                i32.const -1
                i32.add
                local.set 3
                local.get 9
                f64.const 0x1.4p+3 (;=10;)
                f64.mul
                local.set 9
                local.get 2
                i32.const -1
                i32.add
                local.tee 2
                br_if 0 (;@6;)
              end
            end
            local.get 4
            i32.const 7
            i32.lt_u
            br_if 1 (;@3;)
            local.get 3
            i32.const -1
            i32.add
            local.set 3
            loop  ;; label = @5
              local.get 9
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              f64.const 0x1.4p+3 (;=10;)
              f64.mul
              local.set 9
              local.get 3
              i32.const -8
              i32.add
              local.tee 3
              i32.const -2
              i32.lt_u
              br_if 0 (;@5;)
              br 2 (;@3;)
            end
          end
          local.get 3
          i32.const -1
          i32.gt_s
          br_if 0 (;@3;)
          block  ;; label = @4
            block  ;; label = @5
              i32.const 0
              local.get 3
              i32.sub
              i32.const 3
              i32.and
              local.tee 4
              br_if 0 (;@5;)
              local.get 3
              local.set 2
              br 1 (;@4;)
            end
            local.get 3
            local.set 2
            loop  ;; label = @5
              local.get 2
              i32.const 1
              i32.add
              local.set 2
              local.get 9
              f64.const 0x1.4p+3 (;=10;)
              f64.div
              local.set 9
              local.get 4
              i32.const -1
              i32.add
              local.tee 4
              br_if 0 (;@5;)
            end
          end
          local.get 3
          i32.const -4
          i32.gt_u
          br_if 0 (;@3;)
          loop  ;; label = @4
            local.get 9
            f64.const 0x1.4p+3 (;=10;)
            f64.div
            f64.const 0x1.4p+3 (;=10;)
            f64.div
            f64.const 0x1.4p+3 (;=10;)
            f64.div
            f64.const 0x1.4p+3 (;=10;)
            f64.div
            local.set 9
            local.get 2
            i32.const 4
            i32.add
            local.tee 2
            br_if 0 (;@4;)
          end
        end
        local.get 1
        local.get 9
        f64.neg
        local.get 9
        local.get 5
        i32.const 45
        i32.eq
        select
        f64.store offset=16
      end
      local.get 0
      i32.const 16
      i32.add
      global.set 0
      local.get 1
      return
    end
    unreachable
    unreachable)
  (func (;3;) (type 3) (param i32 i32) (result i32)
    (local i32 f64 i32 i32 i32)
    local.get 0
    i32.load offset=32
    local.tee 2
    local.get 1
    i32.const 31
    i32.mul
    i32.add
    local.set 1
    block  ;; label = @1
      local.get 2
      i32.const 3
      i32.ne
      br_if 0 (;@1;)
      local.get 1
      i32.const 31
      i32.mul
      local.set 1
      block  ;; label = @2
        block  ;; label = @3
          local.get 0
          f64.load offset=16
          f64.const 0x1.9p+6 (;=100;)
          f64.mul
          local.tee 3
          f64.abs
          f64.const 0x1p+31 (;=2.14748e+09;)
          f64.lt
          i32.eqz
          br_if 0 (;@3;)
          local.get 3
          i32.trunc_f64_s
          local.set 2
          br 1 (;@2;)
        end
        i32.const -2147483648
        local.set 2
      end
      local.get 1
      local.get 2
      i32.add
      local.set 1
    end
    block  ;; label = @1
      local.get 0
      i32.load offset=28
      local.tee 2
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      local.get 0
      i32.load offset=12
      local.set 4
      local.get 2
      i32.const 3
      i32.and
      local.set 5
      block  ;; label = @2
        block  ;; label = @3
          local.get 2
          i32.const -1
          i32.add
          i32.const 3
          i32.ge_u
          br_if 0 (;@3;)
          i32.const 0
          local.set 2
          br 1 (;@2;)
        end
        local.get 2
        i32.const -4
        i32.and
        local.set 6
        i32.const 0
        local.set 2
        loop  ;; label = @3
          local.get 1
          i32.const 31
          i32.mul
          local.get 4
          local.get 2
          i32.add
          local.tee 1
          i32.load8_u
          i32.add
          i32.const 31
          i32.mul
          local.get 1
          i32.const 1
          i32.add
          i32.load8_u
          i32.add
          i32.const 31
          i32.mul
          local.get 1
          i32.const 2
          i32.add
          i32.load8_u
          i32.add
          i32.const 31
          i32.mul
          local.get 1
          i32.const 3
          i32.add
          i32.load8_u
          i32.add
          local.set 1
          local.get 6
          local.get 2
          i32.const 4
          i32.add
          local.tee 2
          i32.ne
          br_if 0 (;@3;)
        end
      end
      local.get 5
      i32.eqz
      br_if 0 (;@1;)
      local.get 4
      local.get 2
      i32.add
      local.set 2
      loop  ;; label = @2
        local.get 1
        i32.const 31
        i32.mul
        local.get 2
        i32.load8_u
        i32.add
        local.set 1
        local.get 2
        i32.const 1
        i32.add
        local.set 2
        local.get 5
        i32.const -1
        i32.add
        local.tee 5
        br_if 0 (;@2;)
      end
    end
    block  ;; label = @1
      local.get 0
      i32.load offset=4
      local.tee 0
      i32.eqz
      br_if 0 (;@1;)
      loop  ;; label = @2
        block  ;; label = @3
          local.get 0
          i32.load offset=24
          local.tee 6
          i32.const 1
          i32.lt_s
          br_if 0 (;@3;)
          local.get 0
          i32.load offset=8
          local.set 4
          local.get 6
          i32.const 3
          i32.and
          local.set 5
          i32.const 0
          local.set 2
          block  ;; label = @4
            local.get 6
            i32.const -1
            i32.add
            i32.const 3
            i32.lt_u
            br_if 0 (;@4;)
            local.get 6
            i32.const -4
            i32.and
            local.set 6
            i32.const 0
            local.set 2
            loop  ;; label = @5
              local.get 1
              i32.const 31
              i32.mul
              local.get 4
              local.get 2
              i32.add
              local.tee 1
              i32.load8_u
              i32.add
              i32.const 31
              i32.mul
              local.get 1
              i32.const 1
              i32.add
              i32.load8_u
              i32.add
              i32.const 31
              i32.mul
              local.get 1
              i32.const 2
              i32.add
              i32.load8_u
              i32.add
              i32.const 31
              i32.mul
              local.get 1
              i32.const 3
              i32.add
              i32.load8_u
              i32.add
              local.set 1
              local.get 6
              local.get 2
              i32.const 4
              i32.add
              local.tee 2
              i32.ne
              br_if 0 (;@5;)
            end
          end
          local.get 5
          i32.eqz
          br_if 0 (;@3;)
          local.get 4
          local.get 2
          i32.add
          local.set 2
          loop  ;; label = @4
            local.get 1
            i32.const 31
            i32.mul
            local.get 2
            i32.load8_u
            i32.add
            local.set 1
            local.get 2
            i32.const 1
            i32.add
            local.set 2
            local.get 5
            i32.const -1
            i32.add
            local.tee 5
            br_if 0 (;@4;)
          end
        end
        local.get 0
        local.get 1
        call 3
        local.set 1
        local.get 0
        i32.load
        local.tee 0
        br_if 0 (;@2;)
      end
    end
    local.get 1)
  (func (;4;) (type 1) (param i32)
    (local i32 i32)
    block  ;; label = @1
      local.get 0
      i32.load offset=4
      local.tee 1
      i32.eqz
      br_if 0 (;@1;)
      loop  ;; label = @2
        local.get 1
        i32.load
        local.set 2
        local.get 1
        call 4
        local.get 2
        local.set 1
        local.get 2
        br_if 0 (;@2;)
      end
    end
    block  ;; label = @1
      local.get 0
      i32.load offset=24
      local.tee 1
      i32.const 0
      i32.le_s
      br_if 0 (;@1;)
      local.get 0
      i32.load offset=8
      local.tee 2
      local.get 1
      i32.const -1
      i32.add
      i32.const 2
      i32.shr_u
      i32.const 1073741820
      i32.and
      i32.const 1072
      i32.add
      local.tee 1
      i32.load
      i32.store
      local.get 1
      local.get 2
      i32.store
    end
    block  ;; label = @1
      local.get 0
      i32.load offset=28
      local.tee 1
      i32.const 1
      i32.lt_s
      br_if 0 (;@1;)
      local.get 0
      i32.load offset=12
      local.tee 2
      local.get 1
      i32.const -1
      i32.add
      i32.const 2
      i32.shr_u
      i32.const 1073741820
      i32.and
      i32.const 1072
      i32.add
      local.tee 1
      i32.load
      i32.store
      local.get 1
      local.get 2
      i32.store
    end
    local.get 0
    i32.const 0
    i32.load offset=1080
    i32.store
    i32.const 0
    local.get 0
    i32.store offset=1080)
  (func (;5;) (type 0) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32)
    global.get 0
    i32.const 64
    i32.sub
    local.set 1
    i32.const 0
    i32.const 0
    i32.load offset=1056
    local.tee 2
    i32.const 1
    i32.add
    local.tee 3
    i32.store offset=1056
    block  ;; label = @1
      block  ;; label = @2
        local.get 2
        i32.const 1120
        i32.add
        i32.load8_u
        i32.const 34
        i32.ne
        br_if 0 (;@2;)
        local.get 3
        i32.const 1120
        i32.add
        i32.load8_u
        local.tee 4
        i32.const 34
        i32.eq
        br_if 1 (;@1;)
        i32.const 0
        local.set 2
        i32.const 1
        local.set 5
        block  ;; label = @3
          loop  ;; label = @4
            local.get 5
            local.set 6
            block  ;; label = @5
              block  ;; label = @6
                local.get 4
                i32.const 255
                i32.and
                i32.const 92
                i32.eq
                br_if 0 (;@6;)
                local.get 3
                i32.const 1
                i32.add
                local.set 3
                br 1 (;@5;)
              end
              local.get 3
              i32.const 2
              i32.add
              local.set 5
              i32.const 10
              local.set 4
              block  ;; label = @6
                local.get 3
                i32.const 1121
                i32.add
                i32.load8_u
                local.tee 3
                i32.const 110
                i32.eq
                br_if 0 (;@6;)
                i32.const 9
                local.get 3
                local.get 3
                i32.const 116
                i32.eq
                select
                local.set 4
              end
              local.get 5
              local.set 3
            end
            local.get 2
            i32.const 64
            i32.eq
            br_if 1 (;@3;)
            local.get 1
            local.get 2
            i32.add
            local.get 4
            i32.store8
            local.get 6
            i32.const 1
            i32.add
            local.set 5
            local.get 2
            i32.const 1
            i32.add
            local.set 2
            local.get 3
            i32.const 1120
            i32.add
            i32.load8_u
            local.tee 4
            i32.const 34
            i32.ne
            br_if 0 (;@4;)
          end
          i32.const 0
          local.get 3
          i32.const 1
          i32.add
          i32.store offset=1056
          block  ;; label = @4
            block  ;; label = @5
              local.get 2
              i32.const -1
              i32.add
              local.tee 3
              i32.const 2
              i32.shr_u
              i32.const 1073741820
              i32.and
              i32.const 1072
              i32.add
              local.tee 4
              i32.load
              local.tee 5
              i32.eqz
              br_if 0 (;@5;)
              local.get 4
              local.get 5
              i32.load
              i32.store
              br 1 (;@4;)
            end
            i32.const 0
            i32.const 0
            i32.load offset=1060
            local.tee 5
            local.get 2
            i32.const 15
            i32.add
            i32.const -16
            i32.and
            i32.add
            local.tee 4
            i32.store offset=1060
            local.get 4
            i32.const 16777217
            i32.ge_u
            br_if 2 (;@2;)
            local.get 5
            i32.const 66656
            i32.add
            local.set 5
          end
          local.get 2
          i32.const 3
          i32.and
          local.set 7
          i32.const 0
          local.set 4
          block  ;; label = @4
            local.get 3
            i32.const 3
            i32.lt_u
            br_if 0 (;@4;)
            local.get 2
            i32.const -4
            i32.and
            local.set 3
            i32.const 0
            local.set 4
            loop  ;; label = @5
              local.get 5
              local.get 4
              i32.add
              local.get 1
              local.get 4
              i32.add
              i32.load
              i32.store align=1
              local.get 3
              local.get 4
              i32.const 4
              i32.add
              local.tee 4
              i32.ne
              br_if 0 (;@5;)
            end
          end
          block  ;; label = @4
            local.get 7
            i32.eqz
            br_if 0 (;@4;)
            local.get 6
            i32.const 3
            i32.and
            local.set 3
            loop  ;; label = @5
              local.get 5
              local.get 4
              i32.add
              local.get 1
              local.get 4
              i32.add
              i32.load8_u
              i32.store8
              local.get 4
              i32.const 1
              i32.add
              local.set 4
              local.get 3
              i32.const -1
              i32.add
              local.tee 3
              br_if 0 (;@5;)
            end
          end
          local.get 0
          local.get 2
          i32.store
          local.get 5
          return
        end
        i32.const 0
        local.get 3
        i32.store offset=1056
      end
      unreachable
      unreachable
    end
    i32.const 0
    local.get 2
    i32.const 2
    i32.add
    i32.store offset=1056
    local.get 0
    i32.const 0
    i32.store
    i32.const 0)
  (table (;0;) 1 1 funcref)
  (memory (;0;) 259)
  (global (;0;) (mut i32) (i32.const 16909408))
  (export "memory" (memory 0))
  (export "run" (func 0))
  (data (;0;) (i32.const 1024) "null\00true\00false\00,\0a {\22id\22: \00"))
