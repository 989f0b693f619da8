--- The subcommands of :Descartes about stopped threads and breakpoints.
local call = require('descartes.call')
local place = require('descartes.place')

--- Say of BREAKPOINT whether it stops anything.
local function is_set(breakpoint)
  local name = type(breakpoint.symbol) == 'string' and breakpoint.symbol or 'this form'
  local when = type(breakpoint.condition) == 'string' and (' when ' .. breakpoint.condition) or ''
  local message = type(breakpoint.message) == 'string' and breakpoint.message or ('stops at %s%s'):format(name, when)
  vim.notify('Descartes: ' .. message, breakpoint.verified and vim.log.levels.INFO or vim.log.levels.WARN)
end

local function with_condition(params, condition)
  return vim.tbl_extend('force', params, { condition = condition ~= '' and condition or nil })
end

--- Return the name of a function that TEXT begins with, `(setf name)` too, and what stands behind it.
local function name_and_rest(text)
  local name, rest = text:match('^(%(setf%s+[^%s()]+%))%s*(.*)$')
  if not name then
    name, rest = text:match('^(%S*)%s*(.*)$')
  end
  return name, rest
end

local function breakpoint_line(each)
  local name = type(each.symbol) == 'string' and each.symbol
    or ('%s:%d'):format(vim.fs.basename(each.uri), type(each.range) == 'table' and each.range.start.line + 1 or 1)
  local when = type(each.condition) == 'string' and (' when ' .. each.condition) or ''
  return ('%s%s (%d hits)'):format(name, when, each.hits)
end

--- Let the person choose a breakpoint, and take it away.
local function clear()
  call('debugger.breakpoints.list', {}, function(answer)
    if #answer.breakpoints == 0 then
      return vim.notify('Descartes: there is no breakpoint')
    end
    vim.ui.select(answer.breakpoints, { prompt = 'Breakpoint', format_item = breakpoint_line }, function(chosen)
      if chosen then
        call('debugger.breakpoints.clear', { id = chosen.id }, function()
          vim.notify(('Descartes: the breakpoint at %s is gone'):format(breakpoint_line(chosen):gsub(' %(%d+ hits%)$', '')))
        end)
      end
    end)
  end)
end

return {
  ['debugger'] = function()
    require('descartes.debugger').show()
  end,
  ['retry'] = function()
    require('descartes.retrying').retry(place.here())
  end,
  ['break'] = function(text)
    local name, condition = name_and_rest(text)
    call('debugger.breakpoints.set', with_condition(place.symbol(name), condition), is_set)
  end,
  ['break-here'] = function(condition)
    call('debugger.breakpoints.set', with_condition(place.here(), condition), is_set)
  end,
  ['clear-breakpoint'] = clear,
  ['break-on-signals'] = function(text)
    call('debugger.breakOnSignals', { type = text ~= '' and text or nil }, function(answer)
      vim.notify('Descartes: stops on ' .. (type(answer.type) == 'string' and answer.type or 'errors alone'))
    end)
  end,
}
