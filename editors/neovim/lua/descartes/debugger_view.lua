--- The text of the debugger's window.
local M = {}

local asking = require('descartes.asking')

---@class descartes.Entry what a line is about
---@field debugger table
---@field restart? table
---@field frame? table
---@field variable? table of that frame
---@field more? boolean the line stands for the frames that are not shown yet

---@class descartes.Line
---@field text string
---@field groups {[1]: integer, [2]: integer, [3]: string}[] highlights: first byte, end, group
---@field entry? descartes.Entry

--- Return what names FRAME of DEBUGGER among the variables that are shown.
function M.key(debugger, frame)
  return ('%d/%d/%d'):format(debugger.thread, debugger.level, frame.index)
end

--- Return how the arguments that RESTART asks for are shown, such as " (value)".
local function parameters(restart)
  local names = {}
  for _, field in ipairs(asking.of_restart(restart)) do
    names[#names + 1] = field.name:lower() .. (field.many and ' …' or '')
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

local function put_condition(lines, debugger)
  for _, part in ipairs(vim.split(debugger.condition.message, '\n', { plain = true })) do
    put(lines, { { part, 'DiagnosticError' } }, { debugger = debugger })
  end
  local origin = debugger.origin or {}
  local who = origin.name and (' · ' .. origin.name) or ORIGINS[origin.kind] or ''
  local where = ('  thread %d · level %d%s'):format(debugger.thread, debugger.level, who)
  put(lines, { { debugger.condition.type, 'Type' }, { where, 'Comment' } }, { debugger = debugger })
end

local function put_restarts(lines, debugger)
  put(lines, { { 'Restarts', 'Title' } }, { debugger = debugger })
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
    }, { debugger = debugger, restart = restart })
  end
end

local function put_frames(lines, debugger, locals)
  put(lines, { { 'Frames', 'Title' }, { (' %d'):format(debugger.frameCount), 'Comment' } }, { debugger = debugger })
  for _, frame in ipairs(debugger.frames) do
    local entry = { debugger = debugger, frame = frame }
    put(lines, {
      { ('%3d '):format(frame.index), 'Number' },
      { frame.description, not frame.location and 'Comment' or nil },
    }, entry)
    local shown = locals[M.key(debugger, frame)]
    for _, variable in ipairs(shown and shown.locals or {}) do
      local about = { debugger = debugger, frame = frame, variable = variable }
      put(lines, { { '      ' }, { variable.name:lower(), 'Identifier' }, { ' = ' .. variable.value } }, about)
    end
    if shown and #shown.locals == 0 then
      put(lines, { { '      no variables', 'Comment' } }, entry)
    end
    for _, tag in ipairs(shown and shown.catchTags or {}) do
      put(lines, { { '      catch ' .. tag, 'Comment' } }, entry)
    end
  end
  local n_left = debugger.frameCount - #debugger.frames
  if n_left > 0 then
    put(lines, { { ('    … %d more'):format(n_left), 'Comment' } }, { debugger = debugger, more = true })
  end
end

--- Return the lines for DEBUGGERS, the newest first; LOCALS are the details shown, by `key`.
---@param debuggers table[]
---@param locals table<string, table[]>
---@return descartes.Line[]
function M.lines(debuggers, locals)
  local lines = {}
  if #debuggers == 0 then
    put(lines, { { 'No thread is stopped', 'Comment' } })
  end
  for index = #debuggers, 1, -1 do
    local debugger = debuggers[index]
    if #lines > 0 then
      put(lines, { { '' } })
    end
    put_condition(lines, debugger)
    put(lines, { { '' } })
    put_restarts(lines, debugger)
    put(lines, { { '' } })
    put_frames(lines, debugger, locals)
  end
  return lines
end

return M
