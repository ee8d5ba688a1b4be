;; A guest for the tests of worker processes. Each byte of its code is an order:
;;   h  print "hello\n" on stdout          e  print "oops\n" on stderr
;;   x  print 60,000 bytes                 F  print without end
;;   m  sleep 20 ms                        S  sleep 60 s
;;   L  loop without end                   T  trap
;;   r  report a result                    w  write the file out.txt
;;   W  write 15,000,000 bytes to out.txt  3  return exit code 3
;; The end of the code returns exit code 0.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "sandgate" "result" (func $result (param i32 i32)))
  (memory (export "memory") 4)
  ;; The stdio block at 1024: two empty buffers of no size, so that all printing is a call.
  (data (i32.const 2048) "hello\n")
  (data (i32.const 2064) "oops\n")
  (data (i32.const 2080) "work/out.txt")
  (data (i32.const 2112) "{\"text/plain\":\"42\"}")

  (func (export "sandgate_alloc") (param $len i32) (result i32)
    (if (i32.gt_u (local.get $len) (i32.const 65536)) (then (return (i32.const 0))))
    (i32.const 131072))

  ;; Writes $len bytes at $ptr to descriptor $fd.
  (func $write (param $fd i32) (param $ptr i32) (param $len i32)
    (i32.store (i32.const 3072) (local.get $ptr))
    (i32.store (i32.const 3076) (local.get $len))
    (drop (call $fd_write (local.get $fd) (i32.const 3072) (i32.const 1) (i32.const 3080))))

  ;; Sleeps $ns nanoseconds of the monotonic clock.
  (func $sleep (param $ns i64)
    (i64.store (i32.const 4096) (i64.const 7))
    (i32.store8 (i32.const 4104) (i32.const 0))
    (i32.store (i32.const 4112) (i32.const 1))
    (i64.store (i32.const 4120) (local.get $ns))
    (i64.store (i32.const 4128) (i64.const 0))
    (i32.store16 (i32.const 4136) (i32.const 0))
    (drop (call $poll_oneoff
      (i32.const 4096) (i32.const 4160) (i32.const 1) (i32.const 4200))))

  ;; Writes $len bytes at $ptr to the file $times times.
  (func $write_file (param $ptr i32) (param $len i32) (param $times i32)
    (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 2080) (i32.const 12)
      (i32.const 9) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 3084)))
    (loop $again
      (call $write (i32.load (i32.const 3084)) (local.get $ptr) (local.get $len))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))
    (drop (call $fd_close (i32.load (i32.const 3084)))))

  (func (export "sandgate_run") (param $ptr i32) (param $len i32) (result i32)
    (local $at i32) (local $end i32) (local $order i32)
    ;; Past version, flags and name to the code.
    (local.set $at (i32.add (local.get $ptr) (i32.const 8)))
    (local.set $at (i32.add (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 5))))
    (local.set $end (i32.load (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (local.set $end (i32.add (local.get $at) (local.get $end)))
    (loop $next
      (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
      (local.set $order (i32.load8_u (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (if (i32.eq (local.get $order) (i32.const 104)) (then
        (call $write (i32.const 1) (i32.const 2048) (i32.const 6))))
      (if (i32.eq (local.get $order) (i32.const 101)) (then
        (call $write (i32.const 2) (i32.const 2064) (i32.const 5))))
      (if (i32.eq (local.get $order) (i32.const 120)) (then
        (call $write (i32.const 1) (i32.const 65536) (i32.const 60000))))
      (if (i32.eq (local.get $order) (i32.const 70)) (then
        (loop $flood
          (call $write (i32.const 1) (i32.const 65536) (i32.const 60000))
          (br $flood))))
      (if (i32.eq (local.get $order) (i32.const 109)) (then
        (call $sleep (i64.const 20000000))))
      (if (i32.eq (local.get $order) (i32.const 83)) (then
        (call $sleep (i64.const 60000000000))))
      (if (i32.eq (local.get $order) (i32.const 76)) (then (loop $forever (br $forever))))
      (if (i32.eq (local.get $order) (i32.const 84)) (then unreachable))
      (if (i32.eq (local.get $order) (i32.const 114)) (then
        (call $result (i32.const 2112) (i32.const 19))))
      (if (i32.eq (local.get $order) (i32.const 119)) (then
        (call $write_file (i32.const 2048) (i32.const 6) (i32.const 1))))
      (if (i32.eq (local.get $order) (i32.const 87)) (then
        (call $write_file (i32.const 65536) (i32.const 60000) (i32.const 250))))
      (if (i32.eq (local.get $order) (i32.const 51)) (then (return (i32.const 3))))
      (br $next))
    unreachable))
