--- The subcommands of :Descartes about the image itself: evaluating, compiling, loading, testing.
local call = require('descartes.call')
local place = require('descartes.place')

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
  local why = type(result.message) == 'string' and (': ' .. result.message) or ''
  local group = result.success and n_notes == 0 and 'Normal' or 'DiagnosticWarn'
  local said = ('%s in %d ms%s%s'):format(text, result.durationMs, notes, why)
  vim.api.nvim_echo({ { '⇒ ', 'Special' }, { said, group } }, true, {})
end

local function status(result)
  local text = 'Lisp: ' .. result.state
  if result.state == 'ready' then
    text = ('%s (%s %s, pid %s)'):format(text, result.implementation, result.version, result.pid)
  end
  vim.notify(text)
end

--- Give up the image NOW, if there is one and the person says so, then GO_ON.
local function given_up(now, go_on)
  if now.state == 'stopped' then
    return go_on()
  end
  local what = now.attached == true and 'Let go of the Lisp that is connected to?' or 'End the Lisp that runs here?'
  vim.ui.select({ 'no', 'yes' }, { prompt = what }, function(answer)
    if answer == 'yes' then
      call('lisp.stop', {}, go_on)
    end
  end)
end

--- Connect to the Swank that TEXT names: host and port, and perhaps the host to go to by ssh.
local function connect(text)
  local host, port, ssh = text:match('^(%S+)[%s:]+(%d+)%s*(%S*)$')
  if not host then
    return vim.notify('Descartes: expected a host and a port, such as :Descartes connect 127.0.0.1 4005', vim.log.levels.WARN)
  end
  call('lisp.status', {}, function(now)
    given_up(now, function()
      call('lisp.connect', { host = host, port = tonumber(port), ssh = ssh ~= '' and ssh or nil }, status)
    end)
  end)
end

--- Let go of an image that somebody else started; one of our own is not ended by this.
local function disconnect()
  call('lisp.status', {}, function(now)
    if now.attached ~= true then
      return vim.notify('Descartes: this image was not connected to; :Descartes stop ends it')
    end
    call('lisp.stop', {}, status)
  end)
end

--- Return a command that does ACT with the system that is named, or chosen from those there are.
local function of_system(act)
  return function(name)
    if name ~= '' then
      return act(name)
    end
    call('lisp.systems', {}, function(answer)
      vim.ui.select(answer.systems, {
        prompt = 'System',
        format_item = function(system)
          return system.name .. (system.loaded and '  loaded' or '')
        end,
      }, function(chosen)
        if chosen then
          act(chosen.name)
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

local here, file, with = place.here, place.file, place.with

return {
  ['eval'] = function(arguments, range)
    local code = arguments
    if range then
      code = table.concat(vim.api.nvim_buf_get_lines(0, range[1] - 1, range[2], false), '\n')
    end
    call('lisp.eval', with(place.if_in_lisp(), { code = code }), show)
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
  ['output'] = function()
    require('descartes.image').open_output()
  end,
  ['input'] = function()
    require('descartes.image').answer_input()
  end,
  ['codelens'] = function()
    require('descartes.lenses').run()
  end,
  ['repl'] = function(name)
    require('descartes.repl').open(name)
  end,
  ['drift'] = function()
    require('descartes.journal').drift(file().uri)
  end,
  ['load-changed'] = function()
    call('lisp.loadChanged', file(), compiled)
  end,
  ['replay'] = function()
    require('descartes.journal').replay()
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
  ['connect'] = connect,
  ['disconnect'] = disconnect,
  ['compile-system'] = on_system('lisp.compileSystem'),
  ['tests'] = function(system)
    require('descartes.test_list').show(system)
  end,
  ['journal'] = function(since)
    require('descartes.journal').show(since)
  end,
  ['compare'] = function(other)
    require('descartes.journal').compare(other)
  end,
}
