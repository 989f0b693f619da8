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

--- Return parameters that name the symbol TEXT, or the one under the cursor, as it is written here.
local function symbol(text)
  local name = text ~= '' and text or vim.fn.expand('<cword>')
  local params = { symbol = name }
  if vim.bo.buftype == '' and vim.bo.filetype == 'lisp' then
    params = with(here(), params)
  end
  return params
end

local function explore(name)
  return function(text)
    require('descartes.explore')[name](symbol(text))
  end
end

local function xref(kind)
  return function(text)
    require('descartes.explore').xref(symbol(text), kind)
  end
end

local function expand(mode)
  return function()
    require('descartes.explore').expand(here(), mode)
  end
end

--- Return a command that does OPERATION with the system that is named, or chosen from those there are.
local function of_system(act)
  return function(name)
    if name ~= '' then
      return act(name)
    end
    call('lisp.systems', {}, function(answer)
      local names = vim.tbl_map(function(system)
        return system.name
      end, answer.systems)
      vim.ui.select(names, { prompt = 'System' }, function(chosen)
        if chosen then
          act(chosen)
        end
      end)
    end)
  end
end

local function on_system(operation)
  return of_system(function(name)
    call(operation, { system = name }, compiled)
  end)
end

local function breakpoint(answer)
  vim.notify('Descartes: ' .. (type(answer.message) == 'string' and answer.message or 'stops there'))
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
  ['run-history'] = function(run)
    require('descartes.timeline').run(run ~= '' and run or nil)
  end,
  ['file-history'] = function()
    require('descartes.timeline').file(file().uri)
  end,
  ['picture'] = function(run)
    require('descartes.timeline').picture(run ~= '' and run or nil)
  end,
  ['undo-restore'] = function()
    require('descartes.timeline').turn('undo')
  end,
  ['redo-restore'] = function()
    require('descartes.timeline').turn('redo')
  end,
  ['notes'] = function(words)
    require('descartes.notes').pick(words)
  end,
  ['note'] = function(title)
    require('descartes.notes').write(title)
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
  ['repl'] = function(name)
    require('descartes.repl').open(name)
  end,
  ['inspect'] = function(expression)
    local code = expression ~= '' and expression or vim.fn.expand('<cword>')
    require('descartes.inspector').open({ expression = code })
  end,
  ['describe'] = explore('describe'),
  ['disassemble'] = explore('disassemble'),
  ['trace'] = explore('trace'),
  ['undefine'] = explore('undefine'),
  ['unintern'] = explore('unintern'),
  ['untrace'] = function()
    require('descartes.explore').untrace()
  end,
  ['trace-tree'] = function()
    require('descartes.explore').trace_tree()
  end,
  ['apropos'] = function(text)
    require('descartes.explore').apropos(text ~= '' and text or vim.fn.expand('<cword>'))
  end,
  ['threads'] = function()
    require('descartes.explore').threads()
  end,
  ['expand'] = expand('1'),
  ['expand-all'] = expand('all'),
  ['expand-compiler-macro'] = expand('compiler'),
  ['callers'] = xref('callers'),
  ['callees'] = xref('callees'),
  ['references'] = xref('references'),
  ['binds'] = xref('binds'),
  ['sets'] = xref('sets'),
  ['macroexpands'] = xref('macroexpands'),
  ['specializes'] = xref('specializes'),
  ['profile'] = function(code)
    require('descartes.explore').profile(code)
  end,
  ['drift'] = function()
    require('descartes.explore').drift(file().uri)
  end,
  ['load-changed'] = function()
    call('lisp.loadChanged', file(), compiled)
  end,
  ['replay'] = function()
    require('descartes.explore').replay()
  end,
  ['load-system'] = on_system('lisp.loadSystem'),
  ['reload-system'] = on_system('lisp.reloadSystem'),
  ['test'] = of_system(function(name)
    require('descartes.tests').run(name)
  end),
  ['test-here'] = function()
    require('descartes.tests').run_here(here())
  end,
  ['debug-test-here'] = function()
    require('descartes.tests').run_here(with(here(), { debug = true }))
  end,
  ['retry'] = function()
    require('descartes.debugger').retry(here())
  end,
  ['break'] = function(text)
    call('debugger.breakpoints.set', symbol(text), breakpoint)
  end,
  ['break-here'] = function()
    call('debugger.breakpoints.set', here(), breakpoint)
  end,
  ['clear-breakpoint'] = function()
    call('debugger.breakpoints.list', {}, function(answer)
      vim.ui.select(answer.breakpoints, {
        prompt = 'Breakpoint',
        format_item = function(each)
          local name = type(each.symbol) == 'string' and each.symbol or vim.fs.basename(each.uri)
          return ('%s (%d hits)'):format(name, each.hits)
        end,
      }, function(chosen)
        if chosen then
          call('debugger.breakpoints.clear', { id = chosen.id })
        end
      end)
    end)
  end,
  ['break-on-signals'] = function(text)
    call('debugger.breakOnSignals', named('type', text), function(answer)
      vim.notify('Descartes: stops on ' .. (type(answer.type) == 'string' and answer.type or 'errors alone'))
    end)
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
