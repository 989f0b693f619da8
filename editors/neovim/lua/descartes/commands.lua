--- :Descartes and its subcommands.
local M = {}

---@type table<string, fun(arguments: string, range?: {[1]: integer, [2]: integer})>
local commands = {}
for _, part in ipairs({ 'image', 'looking', 'debugging', 'sharing' }) do
  commands = vim.tbl_extend('error', commands, require('descartes.commands.' .. part))
end

--- Run what the person typed after :Descartes.
function M.run(command)
  local name, rest = command.args:match('^%s*(%S*)%s*(.-)%s*$')
  local action = commands[name]
  if not action then
    return vim.notify(('Descartes has no command %q; press <Tab> for the list'):format(name), vim.log.levels.WARN)
  end
  local done, problem = pcall(action, rest, command.range > 0 and { command.line1, command.line2 } or nil)
  if type(problem) == 'table' and problem.expected then
    vim.notify('Descartes: ' .. problem.expected, vim.log.levels.WARN)
  elseif not done then
    error(problem, 0)
  end
end

--- Return the subcommands that begin with LEAD.
function M.complete(lead, line)
  if line:match('^%S*Descartes%s+%S+%s') then
    return {}
  end
  local found = vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.tbl_keys(commands))
  table.sort(found)
  return found
end

return M
