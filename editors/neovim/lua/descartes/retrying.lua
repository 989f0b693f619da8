--- A stopped form that was corrected: found among the stops there are, compiled, and its frame called again.
local M = {}

local stops = require('descartes.stops')

--- Return NAME as frames have it: no package, upper case.
local function plain(name)
  return name:match('[^:]*$'):upper()
end

--- Return the name that the top-level form around the cursor's line defines, such as AREA, or nil.
local function defined_here()
  local row = vim.api.nvim_win_get_cursor(0)[1]
  for _, line in ipairs(vim.fn.reverse(vim.api.nvim_buf_get_lines(0, 0, row, false))) do
    if line:sub(1, 1) == '(' then
      local name = line:match('^%(%S+%s+%(setf%s+([^%s()]+)') or line:match('^%(%S+%s+%(?([^%s()]+)')
      return name and plain(name)
    end
  end
end

--- Return whether DESCRIPTION, a frame's, is of the function NAME, of one of its methods, or of a function inside it.
function M.is_of(description, name)
  local rest = description:match('^%(+(.*)') or ''
  for _, before in ipairs({ ':METHOD ', ':INTERNAL ', 'SETF ' }) do
    rest = vim.startswith(rest, before) and rest:sub(#before + 1) or rest
  end
  local called, outer = rest:match('^([^%s()]+)'), description:match(':IN%s+([^%s()]+)')
  return (called ~= nil and plain(called) == name) or (outer ~= nil and plain(outer) == name)
end

--- Return those of FOUND, stops, that have a frame of the function NAME.
local function of_function(found, name)
  return vim.tbl_filter(function(debugger)
    for _, frame in ipairs(debugger.frames) do
      if M.is_of(frame.description, name) then
        return true
      end
    end
    return false
  end, found)
end

--- Choose the stop that the form at the cursor is about, then DO_IT with it; asks when several may be meant.
local function with_stop(debuggers, do_it)
  local found, name = stops.innermost(debuggers), defined_here()
  local fitting = name and of_function(found, name) or {}
  local choices = #fitting > 0 and fitting or found
  if #choices == 0 then
    return vim.notify('Descartes: no thread is stopped')
  elseif #choices == 1 then
    return do_it(choices[1])
  end
  local what = name and #fitting > 0 and ('Call %s again in'):format(name) or 'Retry in'
  vim.ui.select(choices, { prompt = what, kind = 'descartes', format_item = stops.title }, function(chosen)
    if chosen then
      do_it(chosen)
    end
  end)
end

--- Compile the form at the cursor, the place AT, and call its stopped frame again; unless it compiles all stay stopped.
---@param at table uri and position
function M.retry(at)
  with_stop(require('descartes.debugger').debuggers, function(stop)
    local params = vim.tbl_extend('force', at, { thread = stop.thread, level = stop.level })
    require('descartes').call('debugger.retryWithFix', params, function(result)
      if result.evaluation then
        require('descartes.image').show(result.evaluation)
      elseif not result.success then
        vim.notify('Descartes: it did not compile; the thread stays stopped', vim.log.levels.WARN)
      end
    end)
  end)
end

return M
