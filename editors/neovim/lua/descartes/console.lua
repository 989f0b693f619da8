--- Consoles in stopped frames: REPLs whose forms see the variables of one frame, for as long as it is stopped.
local M = {}

local repl = require('descartes.repl')
local stops = require('descartes.stops')

local consoles = {} ---@type {stop: table, repl: descartes.Repl}[]

--- Return what stands before the input: the function of FRAME, such as "AVERAGE> ".
local function prompt_of(frame)
  local called = frame.description:match('^%(+:%u+%s+([^%s()]+)') or frame.description:match('^%(*([^%s()]+)')
  return (called and called:match('[^:]*$') or 'frame') .. '> '
end

--- Show a console in FRAME of STOP, and go there; the one that there is when it was opened before.
function M.open(stop, frame)
  local at = { thread = stop.thread, level = stop.level, frame = frame.index }
  local prompt = prompt_of(frame)
  local opened, made = repl.open_as({
    name = ('console/%d/%d/%d'):format(stop.thread, stop.level, frame.index),
    package = nil,
    prompt = function()
      return prompt
    end,
    evaluation = function(_, code)
      return 'debugger.evalInFrame', vim.tbl_extend('force', at, { code = code })
    end,
    completion = function(console)
      return { package = console.package }
    end,
  })
  if made then
    consoles[#consoles + 1] = { stop = stop, repl = opened }
    require('descartes').call('debugger.frame', at, function(detail)
      opened.package = type(detail.package) == 'string' and detail.package or nil
    end)
  end
end

--- Close the consoles of stops that are not among DEBUGGERS any more.
function M.stops_changed(debuggers)
  consoles = vim.tbl_filter(function(console)
    for _, debugger in ipairs(debuggers) do
      if stops.same(debugger, console.stop) then
        return true
      end
    end
    repl.close(console.repl, 'this frame was left')
    return false
  end, consoles)
end

return M
