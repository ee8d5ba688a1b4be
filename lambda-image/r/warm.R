# Runs once in the zygote what programs usually run: what it leaves in memory is shared.

PACKAGES <- c(
  "stats", "graphics", "grDevices", "utils", "datasets", "methods", "grid", "tools", "parallel",
  "jsonlite", "ggplot2", "dplyr", "tidyr", "data.table", "tibble", "purrr", "stringr", "scales"
)

prepare <- function() {
  for (package in PACKAGES) {
    # A program that needs it fails as it would anyway; others run.
    tryCatch(loadNamespace(package), error = function(problem) {
      message("cannot load ", package, ": ", conditionMessage(problem))
    })
  }
  compile()
  if (isNamespaceLoaded("ggplot2") && isNamespaceLoaded("dplyr")) exercise()
  # Its thread moves progress bars.
  if (isNamespaceLoaded("cli")) .Call(getNamespace("cli")$clic_stop_thread)
  grDevices::graphics.off()
  unlink(tempdir(), recursive = TRUE)
  suppressWarnings(rm(".Random.seed", envir = globalenv()))
  threads <- threads_left()
  if (threads != 1L) {
    stop(threads, " threads are running: a child would have one of them only")
  }
  gc()
}

# The system lists a thread for a moment after it was waited for.
threads_left <- function() {
  for (again in 1:1000) {
    threads <- length(list.files("/proc/self/task"))
    if (threads == 1L) break
    Sys.sleep(0.001)
  }
  threads
}

# R compiles a function when it is called for the second time. In a child that would be every time.
compile <- function() {
  ours <- environment(prepare)
  for (name in ls(ours)) {
    value <- get(name, envir = ours)
    if (is.function(value)) assign(name, compiler::cmpfun(value), envir = ours)
  }
}

exercise <- function() {
  grDevices::png(tempfile(), type = "cairo-png")
  plot <- ggplot2::ggplot(datasets::mtcars, ggplot2::aes(wt, mpg, colour = factor(cyl))) +
    ggplot2::geom_point() +
    ggplot2::labs(title = "title")
  print(plot)
  print(ggplot2::ggplot(datasets::mtcars, ggplot2::aes(factor(cyl))) + ggplot2::geom_bar())
  graphics::plot(1:3)
  grDevices::dev.off()
  grouped <- dplyr::group_by(datasets::mtcars, cyl)
  table <- dplyr::summarise(grouped, mpg = mean(mpg))
  utils::capture.output(print(table), print(datasets::mtcars), print(summary(datasets::mtcars)))
  table_html(table)
  as.character(jsonlite::toJSON(list(a = 1)))
  invisible()
}
