--- :Descartes and its subcommands.
local M = {}

local function call(operation, arguments, done)
  require('descartes').call(operation, arguments, done)
end

local function here()
  local client = require('descartes').client()
  local encoding = client and client.offset_encoding or 'utf-16'
  local params = vim.lsp.util.make_position_params(0, encoding)
  return { uri = params.textDocument.uri, position = params.position }
end

local function file()
  return { uri = vim.uri_from_bufnr(0) }
end

local function show(result)
  require('descartes.image').show(result)
end

--- Say how a compilation went; its notes are diagnostics already.
local function compiled(result)
  local n_notes = #result.notes
  if result.state == 'stopped' then
    return
  end
  local text = result.success and 'compiled' or 'failed'
  local notes = n_notes == 0 and '' or (', %d note%s'):format(n_notes, n_notes == 1 and '' or 's')
  local group = result.success and n_notes == 0 and 'Normal' or 'DiagnosticWarn'
  vim.api.nvim_echo({ { '⇒ ', 'Special' }, { ('%s in %d ms%s'):format(text, result.durationMs, notes), group } }, true, {})
end

local function with(arguments, more)
  return vim.tbl_extend('force', arguments, more)
end

local function status(result)
  local text = 'Lisp: ' .. result.state
  if result.state == 'ready' then
    text = ('%s (%s %s, pid %s)'):format(text, result.implementation, result.version, result.pid)
  end
  vim.notify(text)
end

local function lease_is_yours(lease)
  vim.notify(('Descartes: %s is yours until %s'):format(lease.path, require('descartes.runs').clock(lease.expiresAt)))
end

local function named(key, text)
  return text ~= '' and { [key] = text } or {}
end

local commands = {
  ['eval'] = function(arguments, range)
    local code = arguments
    if range then
      code = table.concat(vim.api.nvim_buf_get_lines(0, range[1] - 1, range[2], false), '\n')
    end
    call('lisp.eval', with(here(), { code = code }), show)
  end,
  ['eval-form'] = function()
    call('lisp.evalForm', with(here(), { scope = 'toplevel' }), show)
  end,
  ['eval-last'] = function()
    local at = here()
    -- In normal mode the cursor is on the closing parenthesis, not behind it.
    at.position.character = at.position.character + 1
    call('lisp.evalForm', with(at, { scope = 'last' }), show)
  end,
  ['compile-form'] = function()
    call('lisp.compileForm', here(), compiled)
  end,
  ['compile-file'] = function()
    call('lisp.compileFile', file(), compiled)
  end,
  ['load-file'] = function()
    call('lisp.loadFile', file(), compiled)
  end,
  ['start'] = function()
    call('lisp.start', {}, status)
  end,
  ['stop'] = function()
    call('lisp.stop', {}, status)
  end,
  ['restart'] = function()
    call('lisp.restart', {}, status)
  end,
  ['status'] = function()
    call('lisp.status', {}, status)
  end,
  ['interrupt'] = function()
    call('lisp.interrupt', {})
  end,
  ['debugger'] = function()
    require('descartes.debugger').show()
  end,
  ['output'] = function()
    require('descartes.image').open_output()
  end,
  ['input'] = function()
    require('descartes.image').answer_input()
  end,
  ['interventions'] = function()
    require('descartes.interventions').choose()
  end,
  ['codelens'] = function()
    require('descartes.lenses').run()
  end,
  ['runs'] = function()
    require('descartes.runs').list()
  end,
  ['leases'] = function()
    require('descartes.runs').leases()
  end,
  ['history'] = function()
    require('descartes.runs').history()
  end,
  ['spawn'] = function(task)
    call('run.spawn', { task = task }, function(run)
      vim.notify(('Descartes: run %s began'):format(run.id:sub(5, 12)))
    end)
  end,
  ['lease'] = function(reason)
    call('lease.acquire', with(file(), named('reason', reason)), lease_is_yours)
  end,
  ['release'] = function()
    call('lease.release', file(), function(lease)
      vim.notify(('Descartes: %s is free'):format(lease.path))
    end)
  end,
  ['take-over'] = function(reason)
    call('lease.steal', with(file(), named('reason', reason)), lease_is_yours)
  end,
  ['request'] = function(message)
    call('lease.request', with(file(), named('message', message)))
  end,
}

--- Run what the person typed after :Descartes.
function M.run(command)
  local name, rest = command.args:match('^%s*(%S*)%s*(.-)%s*$')
  local action = commands[name]
  if not action then
    return vim.notify(('Descartes has no command %q; press <Tab> for the list'):format(name), vim.log.levels.WARN)
  end
  action(rest, command.range > 0 and { command.line1, command.line2 } or nil)
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
