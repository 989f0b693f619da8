--- The subcommands of :Descartes about runs, leases, history and what is kept for later.
local call = require('descartes.call')
local place = require('descartes.place')

local function lease_is_yours(lease)
  vim.notify(('Descartes: %s is yours until %s'):format(lease.path, require('descartes.runs').clock(lease.expiresAt)))
end

local function named(key, text)
  return text ~= '' and { [key] = text } or {}
end

local file, with = place.file, place.with

return {
  ['interventions'] = function()
    require('descartes.interventions').choose()
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
  ['replace'] = function(pattern)
    require('descartes.replacing').ask(pattern ~= '' and pattern or vim.fn.expand('<cword>'))
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
  ['request'] = function(message)
    call('lease.request', with(file(), named('message', message)))
  end,
  ['whiteboard'] = function(session)
    require('descartes.boards').whiteboard(session ~= '' and session or nil)
  end,
  ['wisdom'] = function(about)
    require('descartes.boards').wisdom(about)
  end,
}
