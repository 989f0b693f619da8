--- :checkhealth descartes
local M = {}

function M.check()
  local config = require('descartes.config')
  vim.health.start('descartes')
  for _, problem in ipairs(config.problems(vim.g.descartes or {})) do
    vim.health.warn(problem)
  end
  local command = config.get().cmd[1]
  if vim.fn.executable(command) == 0 then
    return vim.health.error(command .. ' is not on the PATH', { 'pip install descartes-lsp' })
  end
  vim.health.ok(command .. ' is ' .. vim.fn.exepath(command))
  local report = vim.system({ command, 'doctor' }, { text = true }):wait()
  if report.code == 0 then
    vim.health.ok('descartes doctor:\n' .. report.stdout)
  else
    vim.health.warn('descartes doctor:\n' .. report.stdout .. report.stderr)
  end
end

return M
