# The build machine's own Python of the same version: it cross-compiles the guest's (configure
# insists on the same version), compiles the standard library and is what the guest is compared with.
"$SRC_CPYTHON/configure" --prefix="$OUT" --without-ensurepip --disable-test-modules \
  >configure.log 2>&1 || { tail -n 40 configure.log >&2; exit 1; }
make -j"$JOBS" >make.log 2>&1 || { tail -n 40 make.log >&2; exit 1; }
make install >install.log 2>&1 || { tail -n 40 install.log >&2; exit 1; }
