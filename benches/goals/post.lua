-- wrk: posts the snippet named on the command line to /v1/execute, past the cache. There is no
-- function for answers: it would take the load generator as long as the service takes for them.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  wrk.body = string.format('{"language":"%s","code":"%s","cache":"off"}', args[1], args[2])
end
