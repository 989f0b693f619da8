--- The debugger's window: conditions, restarts and frames of every stopped thread, beside the code.
--- It opens without taking the focus, and nothing but a key pressed in it invokes a restart.
local M = {}

local config = require('descartes.config')
local details = require('descartes.frame_details')
local stops = require('descartes.stops')
local view = require('descartes.debugger_view')

M.debuggers = {} ---@type table[] the stops there are now
M.buffer = nil ---@type integer?

local KEYS = '<CR> choose  a abort  c continue  E console  sxo step  g? help'
local namespace = vim.api.nvim_create_namespace('descartes-debugger')
local lines = {} ---@type descartes.Line[]
local visited ---@type table? the newest stop when the person last asked for the debugger
local sent ---@type table? the stop that was left from here, while it is not known whether its thread stops again

--- Return the stop at which the thread that was sent on from here has arrived, or nil.
local function arrived()
  for _, now in ipairs(sent and stops.innermost(M.debuggers) or {}) do
    if now.thread == sent.thread and not stops.same(now, sent) then
      return now
    end
  end
end

--- Return the row of the condition of STOP, or nil without one.
local function row_of_stop(stop)
  return stop and view.row_of(lines, { debugger = stop, line = 'condition' })
end

--- Return the row for what was on ENTRY, whose line is gone: its frame, or where the thread is that was sent on.
local function row_beside(entry)
  local frame = entry.frame and ('frame %d'):format(entry.frame.index) or 'condition'
  local now = arrived()
  local followed = now and now.thread == entry.debugger.thread and now
  return view.row_of(lines, vim.tbl_extend('force', entry, { line = frame })) or row_of_stop(followed)
end

--- Return the row where a cursor goes that was on ENTRY; IN_USE: the person is in that window.
---
--- It stays with its line, and with a thread that was sent on from here. Where that is gone it goes to the first
--- line, where a key does nothing: no other stop ever comes to stand under the cursor while keys are typed there.
local function row_for(entry, in_use)
  local row
  if entry then
    row = view.row_of(lines, entry) or row_beside(entry)
  else
    row = row_of_stop(arrived())
  end
  return row or (in_use and 1 or 3)
end

local function windows()
  return M.buffer and vim.api.nvim_buf_is_valid(M.buffer) and vim.fn.win_findbuf(M.buffer) or {}
end

--- Return what is needed to have the cursor of WINDOW follow what it is on.
local function place_in(window)
  local seen = vim.api.nvim_win_call(window, vim.fn.winsaveview)
  return { window = window, seen = seen, entry = lines[seen.lnum] and lines[seen.lnum].entry }
end

--- Put the cursor of BEFORE, a place, to where the same is now; in a window in use it stays where it is seen.
local function follow(before)
  local in_use = before.window == vim.api.nvim_get_current_win()
  local now, seen = math.min(row_for(before.entry, in_use), #lines), before.seen
  seen.topline = in_use and math.max(seen.topline + now - seen.lnum, 1) or seen.topline
  seen.lnum = now
  vim.api.nvim_win_call(before.window, function()
    vim.fn.winrestview(seen)
  end)
end

local function write()
  local texts = vim.tbl_map(function(line)
    return line.text
  end, lines)
  vim.bo[M.buffer].modifiable = true
  vim.api.nvim_buf_set_lines(M.buffer, 0, -1, false, texts)
  vim.bo[M.buffer].modifiable = false
  vim.api.nvim_buf_clear_namespace(M.buffer, namespace, 0, -1)
  for row, line in ipairs(lines) do
    for _, group in ipairs(line.groups) do
      vim.api.nvim_buf_set_extmark(M.buffer, namespace, row - 1, group[1], { end_col = group[2], hl_group = group[3] })
    end
  end
end

--- Draw the stops anew; each cursor stays with what it is on.
function M.render()
  if not (M.buffer and vim.api.nvim_buf_is_valid(M.buffer)) then
    return
  end
  local before = vim.tbl_map(place_in, windows())
  lines = view.lines(M.debuggers)
  write()
  vim.iter(before):each(follow)
end

--- Return what the line under the cursor is about.
---@return descartes.Entry?
function M.entry()
  local line = lines[vim.api.nvim_win_get_cursor(0)[1]]
  return line and line.entry
end

--- Show DETAIL, or nothing, below FRAME of DEBUGGER, unless that stop was left meanwhile.
function M.set_detail(debugger, frame, detail)
  for _, now in ipairs(M.debuggers) do
    if stops.same(now, debugger) then
      details.set(debugger, frame, detail)
      M.render()
    end
  end
end

--- Put the cursor on the next stop, STEP 1, or the one before, STEP -1.
local function to_stop(step)
  local row = vim.api.nvim_win_get_cursor(0)[1] + step
  while lines[row] and not (lines[row].entry and lines[row].entry.line == 'message 1') do
    row = row + step
  end
  if lines[row] then
    vim.api.nvim_win_set_cursor(0, { row, 0 })
  end
end

local function make_buffer()
  M.buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(M.buffer, 'descartes://debugger')
  vim.bo[M.buffer].bufhidden, vim.bo[M.buffer].filetype = 'hide', 'descartes-debugger'
  local maps = require('descartes.stop_actions').keys()
  for lhs, step in pairs({ [']]'] = 1, ['[['] = -1 }) do
    maps[lhs] = function()
      to_stop(step)
    end
  end
  for lhs, action in pairs(maps) do
    vim.keymap.set('n', lhs, action, { buffer = M.buffer, nowait = true, silent = true })
  end
end

--- Return where the window goes: beside the code where there is room for both, else below it.
local function place()
  local width = config.get().width
  if vim.o.columns >= 2 * width then
    return { split = 'right', win = -1, width = width }
  end
  return { split = 'below', win = -1, height = math.floor(vim.o.lines * 0.4) }
end

local function to_newest(window)
  vim.api.nvim_win_set_cursor(window, { math.min(3, #lines), 0 })
end

local function open(enter)
  if not (M.buffer and vim.api.nvim_buf_is_valid(M.buffer)) then
    make_buffer()
  end
  M.render()
  local window = windows()[1]
  if window then
    return enter and vim.api.nvim_set_current_win(window)
  end
  window = vim.api.nvim_open_win(M.buffer, enter, place())
  local more = { cursorline = true, winfixwidth = true, winfixheight = true, winbar = KEYS }
  for name, value in pairs(vim.tbl_extend('force', require('descartes.views').OPTIONS, more)) do
    vim.wo[window][0][name] = value
  end
  to_newest(window)
end

local function close(window)
  -- The editor's last window cannot be closed; it then says that nothing is stopped.
  if #vim.api.nvim_list_wins() == 1 or not pcall(vim.api.nvim_win_close, window, true) then
    M.render()
  end
end

--- Keep the window while the thread of STOP, which was sent on from here, runs: it may stop again.
function M.hold(stop)
  sent = stop
end

--- Close the window when that thread has ended and nothing else is stopped. EVALUATION is the id of what has ended;
--- another one than that of the thread settles nothing.
---@param evaluation? string
function M.settle(evaluation)
  details.forget(evaluation)
  if evaluation and not (sent and sent.evaluation == evaluation) then
    return
  end
  sent = nil
  local window = windows()[1]
  if #M.debuggers == 0 and window then
    close(window)
  end
end

--- Take in the stops there are; the window follows, the focus stays.
function M.changed(params)
  local before = M.debuggers
  M.debuggers = params.debuggers
  details.keep(before, M.debuggers)
  local window = windows()[1]
  local stays = sent and window == vim.api.nvim_get_current_win()
  if #M.debuggers == 0 and window and not stays then
    close(window)
  elseif window then
    M.render()
  elseif #before == 0 and #M.debuggers > 0 and config.get().panel then
    open(false)
  end
  vim.iter(details.to_fetch(M.debuggers)):each(require('descartes.stop_actions').look_again)
  sent = not arrived() and sent or nil
  require('descartes.console').stops_changed(M.debuggers)
  vim.cmd.redrawstatus()
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesDebugger', data = params })
end

--- Show the debugger and go there: to the newest stop when that is new, else to where the cursor was.
function M.show()
  local newest = stops.newest_first(M.debuggers)[1]
  local is_new = newest and not (visited and stops.same(newest, visited))
  local was_here = M.buffer == vim.api.nvim_get_current_buf()
  open(true)
  if is_new and not was_here then
    to_newest(vim.api.nvim_get_current_win())
  end
  visited = newest
end

return M
