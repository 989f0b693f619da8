--- Commands of lenses and code actions. The server does all of them; for some this editor does something first:
--- it asks for the arguments of a restart, and opens a panel where the server would write a file.
local M = {}

local own = {
  ['debugger.restart'] = function(params)
    require('descartes.stop_actions').invoke_with(params)
  end,
  ['debugger.list'] = function()
    require('descartes.debugger').show()
  end,
  ['intervention.list'] = function()
    require('descartes.interventions').choose()
  end,
}

--- Run COMMAND as a lens or a code action gives it.
---@param command lsp.Command
function M.run(command)
  local operation = command.command:match('^descartes%.(.*)')
  local params = (command.arguments or {})[1] or {}
  if own[operation] then
    own[operation](params)
  else
    require('descartes').call(operation, params)
  end
end

--- Return what `vim.lsp.start` takes as `commands`: every command of the server, by its id.
function M.commands()
  return setmetatable({}, {
    __index = function(_, name)
      return vim.startswith(name, 'descartes.') and M.run or nil
    end,
  })
end

return M
