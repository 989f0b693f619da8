--- The stops as the server tells them: which is the newest, which is still the same one.
local M = {}

--- Return whether ONE and OTHER, told at different times, are the same stop.
function M.same(one, other)
  return one.thread == other.thread
    and one.level == other.level
    and one.evaluation == other.evaluation
    and one.since == other.since
    and one.condition.message == other.condition.message
end

--- Return DEBUGGERS with the newest first: by when they stopped where that is told, else the last one first.
---@param debuggers table[]
---@return table[]
function M.newest_first(debuggers)
  local found = {}
  for index, debugger in ipairs(debuggers) do
    found[#found + 1] = { index = index, debugger = debugger }
  end
  table.sort(found, function(one, other)
    local here, there = one.debugger.since, other.debugger.since
    if here and there and here ~= vim.NIL and there ~= vim.NIL and here ~= there then
      return here > there
    elseif one.debugger.thread == other.debugger.thread then
      return one.debugger.level > other.debugger.level
    end
    return one.index > other.index
  end)
  return vim.tbl_map(function(each)
    return each.debugger
  end, found)
end

--- Return those of DEBUGGERS that are the innermost level of their thread, the newest first.
function M.innermost(debuggers)
  local deepest = {}
  for _, debugger in ipairs(debuggers) do
    deepest[debugger.thread] = math.max(deepest[debugger.thread] or 0, debugger.level)
  end
  return vim.tbl_filter(function(debugger)
    return deepest[debugger.thread] == debugger.level
  end, M.newest_first(debuggers))
end

--- Return how STOP is named in one line: "DIVISION-BY-ZERO: arithmetic error …  (thread 12)".
function M.title(stop)
  local message = vim.trim((stop.condition.message:gsub('%s+', ' ')))
  local name = stop.condition.type:match('[^:]*$')
  local level = stop.level > 1 and (', level %d'):format(stop.level) or ''
  return ('%s: %s  (thread %d%s)'):format(name, vim.fn.strcharpart(message, 0, 60), stop.thread, level)
end

return M
