# Loads the packages, then forks a child for every task. Started by the runner.

# All of ours is in here: the global environment is the program's.
sandgate <- new.env()
local(envir = sandgate, {
  script <- grep("^--file=", commandArgs(), value = TRUE)
  folder <- dirname(sub("^--file=", "", script))
  for (part in c("report.R", "program.R", "warm.R")) {
    sys.source(file.path(folder, part), envir = sandgate)
  }
  dyn.load(Sys.getenv("SANDGATE_LIBRARY"))
  rm(sandgate, envir = globalenv())

  status <- function(name) .C(name, status = 0L)$status

  serve <- function() {
    if (status("sandgate_r_start") != 0L) return()
    while (status("sandgate_r_next") == 0L) {
      pid <- .C("sandgate_r_fork", pid = 0L)$pid
      if (pid == 0L) {
        if (status("sandgate_r_enter") != 0L) .C("sandgate_r_exit", 0L)
        # Does not return.
        child()
      }
      if (.C("sandgate_r_forked", pid, status = 0L)$status != 0L) return()
    }
  }

  prepare()
  serve()
})
