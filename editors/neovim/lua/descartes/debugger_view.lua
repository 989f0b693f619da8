--- The text of the debugger's window.
local M = {}

local asking = require('descartes.asking')
local details = require('descartes.frame_details')
local stops = require('descartes.stops')

-- How many earlier values of a variable are shown, and how much of each.
local MAX_EARLIER, MAX_VALUE = 3, 40

---@class descartes.Entry what a line is about
---@field debugger table
---@field line string which of the stop's lines it is: the same in every drawing of that stop
---@field condition? boolean the line is the condition's
---@field restart? table
---@field frame? table
---@field variable? table of that frame
---@field more? boolean the line stands for the frames that are not shown yet

---@class descartes.Line
---@field text string
---@field groups {[1]: integer, [2]: integer, [3]: string}[] highlights: first byte, end, group
---@field entry? descartes.Entry

--- Return how the arguments that RESTART asks for are shown, such as " (value)".
local function parameters(restart)
  local names = {}
  for _, field in ipairs(asking.of_restart(restart)) do
    names[#names + 1] = field.name:lower() .. (field.many and ' …' or field.optional and '?' or '')
  end
  return #names > 0 and (' (%s)'):format(table.concat(names, ' ')) or ''
end

---@param lines descartes.Line[]
---@param parts {[1]: string, [2]: string?}[] text and highlight group
---@param entry? descartes.Entry
local function put(lines, parts, entry)
  local text, groups = '', {}
  for _, part in ipairs(parts) do
    local piece = part[1]:gsub('\n', ' ')
    if part[2] then
      groups[#groups + 1] = { #text, #text + #piece, part[2] }
    end
    text = text .. piece
  end
  lines[#lines + 1] = { text = text, groups = groups, entry = entry }
end

local ORIGINS = { agent = ' · an agent', background = ' · in the background' }

--- Return the lines of MESSAGE; what the printer broke in the middle of a sentence, indenting it, is one line again.
local function lines_of(message)
  local broken = message:find('\n%s')
  return vim.split(broken and vim.trim((message:gsub('%s*\n%s*', ' '))) or message, '\n', { plain = true })
end

local function put_condition(lines, debugger)
  for number, part in ipairs(lines_of(debugger.condition.message)) do
    put(lines, { { part, 'DiagnosticError' } }, { debugger = debugger, line = 'message ' .. number, condition = true })
  end
  local origin = debugger.origin or {}
  local who = type(origin.name) == 'string' and (' · ' .. origin.name) or ORIGINS[origin.kind] or ''
  local where = ('  thread %d · level %d%s'):format(debugger.thread, debugger.level, who)
  local about = { debugger = debugger, line = 'condition', condition = true }
  put(lines, { { debugger.condition.type, 'Type' }, { where, 'Comment' } }, about)
end

local function put_restarts(lines, debugger)
  put(lines, { { 'Restarts', 'Title' } }, { debugger = debugger, line = 'restarts' })
  local width = 0
  for _, restart in ipairs(debugger.restarts) do
    width = math.max(width, vim.fn.strdisplaywidth(restart.name .. parameters(restart)))
  end
  for _, restart in ipairs(debugger.restarts) do
    local arguments = parameters(restart)
    local gap = (' '):rep(math.min(width, 24) - vim.fn.strdisplaywidth(restart.name .. arguments) + 2)
    put(lines, {
      { ('%3d '):format(restart.index), 'Number' },
      { restart.name, 'Function' },
      { arguments, 'Identifier' },
      { gap .. restart.description },
    }, { debugger = debugger, line = 'restart ' .. restart.index, restart = restart })
  end
end

--- Return what VARIABLE was at earlier visits of its frame, the newest first, such as "  was 4 ← 3".
local function before(variable)
  local values = vim.list_slice(variable.earlier or {}, 1, MAX_EARLIER)
  local short = vim.tbl_map(function(value)
    local line = value:gsub('%s+', ' ')
    return vim.fn.strcharlen(line) > MAX_VALUE and vim.fn.strcharpart(line, 0, MAX_VALUE - 1) .. '…' or line
  end, values)
  return #short > 0 and '  was ' .. table.concat(short, ' ← ') or ''
end

--- Put what is SHOWN of FRAME below it: its variables and catch tags.
local function put_details(lines, debugger, frame, shown)
  local function about(line, more)
    local entry = { debugger = debugger, frame = frame, line = ('frame %d %s'):format(frame.index, line) }
    return vim.tbl_extend('force', entry, more or {})
  end
  for _, variable in ipairs(shown.locals) do
    local name, was = { variable.name:lower(), 'Identifier' }, { before(variable), 'Comment' }
    local parts = { { '      ' }, name, { ' = ' .. variable.value }, was }
    put(lines, parts, about('variable ' .. variable.id, { variable = variable }))
  end
  if #shown.locals == 0 then
    put(lines, { { '      no variables', 'Comment' } }, about('empty'))
  end
  for _, tag in ipairs(shown.catchTags or {}) do
    put(lines, { { '      catch ' .. tag, 'Comment' } }, about('catch ' .. tag))
  end
end

local function put_frames(lines, debugger)
  local count = { (' %d'):format(debugger.frameCount), 'Comment' }
  put(lines, { { 'Frames', 'Title' }, count }, { debugger = debugger, line = 'frames' })
  for _, frame in ipairs(debugger.frames) do
    local known = frame.location and frame.location ~= vim.NIL
    put(lines, {
      { ('%3d '):format(frame.index), 'Number' },
      { frame.description, not known and 'Comment' or nil },
    }, { debugger = debugger, frame = frame, line = 'frame ' .. frame.index })
    local shown = details.get(debugger, frame)
    if shown then
      put_details(lines, debugger, frame, shown)
    end
  end
  local n_left = debugger.frameCount - #debugger.frames
  if n_left > 0 then
    local more = { debugger = debugger, line = 'more', more = true }
    put(lines, { { ('    … %d more'):format(n_left), 'Comment' } }, more)
  end
end

--- Put the first line, which is about no stop: here a key does nothing to anybody's thread.
local function put_head(lines, debuggers)
  local n_threads = #stops.innermost(debuggers)
  if n_threads == 0 then
    return put(lines, { { 'No thread is stopped', 'Comment' } })
  end
  local text = n_threads == 1 and '1 thread is stopped' or ('%d threads are stopped, the newest first'):format(n_threads)
  put(lines, { { text, 'Comment' } })
end

--- Return the lines for DEBUGGERS, the newest first.
---@param debuggers table[]
---@return descartes.Line[]
function M.lines(debuggers)
  local lines = {}
  put_head(lines, debuggers)
  for _, debugger in ipairs(stops.newest_first(debuggers)) do
    put(lines, { { '' } })
    put_condition(lines, debugger)
    put(lines, { { '' } }, { debugger = debugger, line = 'before restarts' })
    put_restarts(lines, debugger)
    put(lines, { { '' } }, { debugger = debugger, line = 'before frames' })
    put_frames(lines, debugger)
  end
  return lines
end

--- Return the row, from 1, of the line of LINES that is about the same as ENTRY, or nil when that is gone.
---@param lines descartes.Line[]
---@param entry? descartes.Entry
function M.row_of(lines, entry)
  for row, line in ipairs(lines) do
    local there = line.entry
    if entry and there and there.line == entry.line and stops.same(there.debugger, entry.debugger) then
      return row
    end
  end
end

return M
