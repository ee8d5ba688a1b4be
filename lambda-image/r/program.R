# The child's life: everything as a program finds it, the program, and its end.

NAME <- "main.R"

# The size of plots, in inches, and their resolution in dots per inch.
PLOT_WIDTH <- 7
PLOT_HEIGHT <- 5
PLOT_RESOLUTION <- 100

# Set in the child.
plots <- NULL
standard_input <- NULL
arguments <- NULL
reported <- FALSE

# In the child: runs the task and ends the process.
child <- function() {
  task <- read_task()
  surround(task)
  .C("sandgate_r_exit", run(task$code))
}

# Environment, arguments, streams, folders and randomness of this program.
surround <- function(task) {
  Sys.unsetenv(names(Sys.getenv()))
  do.call(Sys.setenv, task$env)
  # The zygote's own is gone: this one is in the child's folder.
  tempdir(check = TRUE)
  plots <<- file.path(tempdir(), "plots")
  dir.create(plots)
  options(device = plot_device, warn = 1L)
  if (is.null(task$seed)) {
    entropy <- file("/dev/urandom", "rb", raw = TRUE)
    set.seed(readBin(entropy, integer(), 1L))
    close(entropy)
  } else {
    set.seed(as.integer(task$seed %% .Machine$integer.max))
  }
  standard_input <<- file("stdin", open = "r")
  arguments <<- vapply(task$args, identity, character(1L))
  attach(shadows, name = "sandgate", warn.conflicts = FALSE)
}

plot_device <- function(...) {
  grDevices::png(
    tempfile("plot-", plots, "-%03d.png"),
    width = PLOT_WIDTH, height = PLOT_HEIGHT, units = "in", res = PLOT_RESOLUTION,
    type = "cairo-png"
  )
}

# What is different from R's own: there is no script for R to read on from, and the end of the
# program is not yet the end of the process.
shadows <- list(
  commandArgs = function(trailingOnly = FALSE) {
    if (trailingOnly) arguments else c("R", paste0("--file=", NAME), "--args", arguments)
  },
  stdin = function() standard_input,
  display = function(...) for (value in list(...)) show_value(value),
  quit = function(save = "default", status = 0, runLast = TRUE) {
    invokeRestart("sandgate_quit", as.integer(status))
  }
)
shadows$q <- shadows$quit

run <- function(code) {
  code <- withRestarts(
    tryCatch(
      {
        evaluate(code)
        0L
      },
      error = function(problem) {
        # Deep in a recursion without end there was no room to report it.
        if (!reported) uncaught(problem, NULL, list())
        1L
      }
    ),
    sandgate_quit = function(status) bitwAnd(status, 255L)
  )
  tryCatch(
    {
      grDevices::graphics.off()
      images <- file.info(list.files(plots, full.names = TRUE))
      for (image in rownames(images)[order(images$mtime, rownames(images))]) show_image(image)
      # No finalizers: collecting garbage would touch, and so copy, all that came from the zygote.
      flush(stdout())
    },
    error = function(problem) message(conditionMessage(problem))
  )
  code
}

# Runs the program as R does at top level. The last value is a result instead of being printed.
evaluate <- function(code) {
  lines <- strsplit(code, "\n", fixed = TRUE)[[1L]]
  source <- srcfilecopy(NAME, lines)
  program <- withCallingHandlers(
    parse(text = lines, srcfile = source, keep.source = TRUE),
    error = function(problem) uncaught_syntax(problem)
  )
  places <- attr(program, "srcref")
  for (index in seq_along(program)) {
    at <- places[[index]]
    shown <- withCallingHandlers(
      withVisible(eval(program[[index]], globalenv())),
      error = function(problem) uncaught(problem, at, sys.calls()),
      warning = function(problem) {
        if (is_top(conditionCall(problem))) {
          # R says no more of one that is in no function.
          message("Warning: ", conditionMessage(problem))
          tryInvokeRestart("muffleWarning")
        }
      }
    )
    if (shown$visible) {
      withCallingHandlers(
        if (index == length(program)) show_value(shown$value) else print_value(shown$value),
        error = function(problem) uncaught(problem, at, list())
      )
    }
  }
}

# The call by which `evaluate` runs a part of the program.
TOP <- quote(eval(program[[index]], globalenv()))

is_top <- function(call) is.null(call) || identical(call, TOP)

# The program's own calls: without those that run it.
own_calls <- function(calls) {
  top <- Position(function(call) identical(call, TOP), calls, right = TRUE)
  if (is.na(top)) return(list())
  calls <- calls[-seq_len(top)]
  # R's `eval` calls itself once more.
  if (length(calls) > 0L && name_of(calls[[1L]]) == "eval") calls[-1L] else calls
}

# Without those that raise and handle the error.
before_error <- function(calls) {
  handling <- c(".handleSimpleError", "stop", "h", "rlang::abort", "abort", "signal_abort")
  end <- Position(function(call) name_of(call) %in% handling, calls)
  if (is.na(end)) calls else calls[seq_len(end - 1L)]
}

# As many calls as R shows.
MOST_CALLS <- 6L

chain <- function(names) {
  left_out <- length(names) - MOST_CALLS
  if (left_out > 0L) {
    paste(paste(names[1:2], collapse = " -> "), "...", paste(utils::tail(names, MOST_CALLS - 2L), collapse = " -> "))
  } else {
    paste(names, collapse = " -> ")
  }
}

name_of <- function(call) deparse(call[[1L]], nlines = 1L)[1L]

uncaught_syntax <- function(problem) {
  text <- conditionMessage(problem)
  line <- regmatches(text, regexec("^main\\.R:([0-9]+):", text))[[1L]][2L]
  printed <- paste0("Error: ", text)
  writeLines(printed, stderr())
  report_error("parseError", text, printed, as.integer(line))
}

# Prints and reports the error that nobody caught, as R prints it without a person.
uncaught <- function(problem, at, calls) {
  calls <- own_calls(calls)
  where <- conditionCall(problem)
  text <- conditionMessage(problem)
  if (is_top(where)) {
    printed <- paste0("Error: ", text)
  } else {
    start <- paste0("Error in ", deparse(where, nlines = 1L)[1L], " : ")
    wide <- nchar(start) + nchar(text) > 77L
    printed <- paste0(start, if (wide) "\n  ", text)
  }
  names <- vapply(before_error(calls), name_of, character(1L))
  says_more <- length(names) > 1L || (length(names) == 1L && !identical(names, name_of(where)))
  if (says_more) printed <- paste0(printed, "\nCalls: ", chain(names))
  writeLines(printed, stderr())
  report_error(class(problem)[1L], text, printed, line_of(at, calls))
}

# The line of the innermost call that stands in the program.
line_of <- function(at, calls) {
  line <- if (is.null(at)) NA_integer_ else as.integer(at)[1L]
  for (call in calls) {
    place <- attr(call, "srcref")
    if (!is.null(place) && identical(attr(place, "srcfile")$filename, NAME)) {
      line <- as.integer(place)[1L]
    }
  }
  line
}

report_error <- function(kind, text, printed, line) {
  reported <<- TRUE
  frame("e", list(
    type = kind, message = cut_text(text), traceback = cut_text(printed),
    line = if (is.na(line)) NULL else line
  ))
}
