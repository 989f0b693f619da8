--- What the debugger's window shows below frames: their variables and catch tags.
--- A frame that is looked into is looked into again at every step of its evaluation, until it is closed.
local M = {}

local stops = require('descartes.stops')

local shown = {} ---@type table<string, table> details by `key_of`
local followed = {} ---@type table<string, boolean> by `call_of`

local function key_of(debugger, frame)
  return ('%d/%d/%d'):format(debugger.thread, debugger.level, frame.index)
end

--- Return what names FRAME of DEBUGGER at every step of its evaluation: a call of that function at that depth.
local function call_of(debugger, frame)
  local depth, name = debugger.frameCount - frame.index, frame.description:match('^%S*')
  return ('%s/%d/%d/%d/%s'):format(tostring(debugger.evaluation), debugger.thread, debugger.level, depth, name)
end

--- Return what is shown of FRAME of DEBUGGER, or nil.
function M.get(debugger, frame)
  return shown[key_of(debugger, frame)]
end

--- Show DETAIL of FRAME of DEBUGGER from now on, at its later steps too; nil ends that.
function M.set(debugger, frame, detail)
  shown[key_of(debugger, frame)] = detail
  followed[call_of(debugger, frame)] = detail and true or nil
end

--- Take what is shown of those stops of BEFORE that are still in NOW over, and their further frames.
---@param before table[]
---@param now table[]
function M.keep(before, now)
  local kept = {}
  for _, old in ipairs(before) do
    for _, new in ipairs(now) do
      if stops.same(old, new) then
        new.frames = #old.frames > #new.frames and old.frames or new.frames
        for _, frame in ipairs(new.frames) do
          kept[key_of(new, frame)] = M.get(new, frame)
        end
      end
    end
  end
  shown = kept
end

--- Return those frames of DEBUGGERS that were looked into at an earlier step, and whose details are not known yet.
---@return {debugger: table, frame: table}[]
function M.to_fetch(debuggers)
  local found = {}
  for _, debugger in ipairs(debuggers) do
    for _, frame in ipairs(debugger.frames) do
      if followed[call_of(debugger, frame)] and not M.get(debugger, frame) then
        found[#found + 1] = { debugger = debugger, frame = frame }
      end
    end
  end
  return found
end

--- Forget which frames of EVALUATION, which has ended, are looked into.
---@param evaluation? string
function M.forget(evaluation)
  for call in pairs(followed) do
    if evaluation and vim.startswith(call, evaluation .. '/') then
      followed[call] = nil
    end
  end
end

return M
