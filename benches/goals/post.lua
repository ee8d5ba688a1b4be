-- wrk: posts the snippet named on the command line to /v1/execute, past the cache.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  wrk.body = string.format('{"language":"%s","code":"%s","cache":"off"}', args[1], args[2])
end

function response(status, _, body)
  if status ~= 200 or not body:find('"status":"ok"', 1, true) then
    failed = (failed or 0) + 1
  end
end
