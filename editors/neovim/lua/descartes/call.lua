--- Call OPERATION of the server with ARGUMENTS; DONE gets its result, FAILED its error, which is else shown.
---@param operation string
---@param arguments table
---@param done? fun(result: any)
---@param failed? fun(problem: table)
return function(operation, arguments, done, failed)
  -- Looked up when it is called: the modules that `descartes` itself needs call too.
  return require('descartes').call(operation, arguments, done, failed)
end
