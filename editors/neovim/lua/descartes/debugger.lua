--- The debugger's window: conditions, restarts and frames of every stopped thread, beside the code.
--- It opens without taking the focus, and nothing but a key pressed in it invokes a restart.
local M = {}

local config = require('descartes.config')

M.debuggers = {} ---@type table[] the stops there are now
M.buffer = nil ---@type integer?

local namespace = vim.api.nvim_create_namespace('descartes-debugger')
local lines = {} ---@type {text: string, group: string?, entry: table?}[]
local locals = {} ---@type table<string, table[]> by thread/level/frame

local function call(operation, arguments, done)
  require('descartes').call(operation, arguments, done)
end

local function stop_of(entry)
  return { thread = entry.debugger.thread, level = entry.debugger.level }
end

local function key(debugger, frame)
  return ('%d/%d/%d'):format(debugger.thread, debugger.level, frame.index)
end

--- Return how RESTART's arguments are shown, such as " (value)".
local function parameters(restart)
  local names = {}
  for _, argument in ipairs(restart.arguments or {}) do
    names[#names + 1] = argument.name:lower()
  end
  return #names > 0 and (' (%s)'):format(table.concat(names, ' ')) or ''
end

local function put(text, group, entry)
  for index, part in ipairs(vim.split(text, '\n', { plain = true })) do
    lines[#lines + 1] = { text = part, group = group, entry = index == 1 and entry or nil }
  end
end

local function put_debugger(debugger)
  put(debugger.condition.message, 'DiagnosticError', { debugger = debugger })
  put(('[%s]  thread %d, level %d'):format(debugger.condition.type, debugger.thread, debugger.level), 'Comment')
  put('')
  put('Restarts', 'Title')
  for _, restart in ipairs(debugger.restarts) do
    local text = ('%2d  %s%s  %s'):format(restart.index, restart.name, parameters(restart), restart.description)
    put(text, 'Function', { debugger = debugger, restart = restart })
  end
  put('')
  put(('Frames (%d)'):format(debugger.frameCount), 'Title')
  for _, frame in ipairs(debugger.frames) do
    local group = frame.restartable and 'Normal' or 'Comment'
    put(('%2d  %s'):format(frame.index, frame.description), group, { debugger = debugger, frame = frame })
    for _, variable in ipairs(locals[key(debugger, frame)] or {}) do
      put(('      %s = %s'):format(variable.name:lower(), variable.value), 'Identifier', {
        debugger = debugger,
        frame = frame,
      })
    end
  end
  put('')
end

local function render()
  lines = {}
  if #M.debuggers == 0 then
    put('No thread is stopped', 'Comment')
  end
  for index = #M.debuggers, 1, -1 do
    put_debugger(M.debuggers[index])
  end
  local texts = {}
  for index, line in ipairs(lines) do
    texts[index] = line.text
  end
  vim.bo[M.buffer].modifiable = true
  vim.api.nvim_buf_set_lines(M.buffer, 0, -1, false, texts)
  vim.bo[M.buffer].modifiable = false
  vim.api.nvim_buf_clear_namespace(M.buffer, namespace, 0, -1)
  for index, line in ipairs(lines) do
    if line.group and #line.text > 0 then
      vim.api.nvim_buf_set_extmark(M.buffer, namespace, index - 1, 0, {
        end_col = #line.text,
        hl_group = line.group,
      })
    end
  end
end

--- Return the entry under the cursor: what the nearest line above that has one is about.
local function entry()
  for row = vim.api.nvim_win_get_cursor(0)[1], 1, -1 do
    if lines[row] and lines[row].entry then
      return lines[row].entry
    end
  end
end

--- Show what an operation that left a stop has come to.
local function left(result)
  if result and result.evaluation then
    require('descartes.image').show(result.evaluation)
  end
end

local function fields(names, done, given)
  given = given or {}
  local name = names[#given + 1]
  if not name then
    return done(given)
  end
  vim.ui.input({ prompt = name:lower() .. ': ' }, function(text)
    if text and text ~= '' then
      given[#given + 1] = text
      fields(names, done, given)
    end
  end)
end

--- Invoke RESTART of DEBUGGER, after asking for its arguments.
function M.invoke(debugger, restart)
  local names = {}
  for _, argument in ipairs(restart.arguments or {}) do
    if argument.kind == 'required' or argument.kind == 'rest' then
      names[#names + 1] = argument.name
    end
  end
  fields(names, function(given)
    local params = { thread = debugger.thread, level = debugger.level, index = restart.index, name = restart.name }
    if #given > 0 then
      params.arguments = given
    end
    call('debugger.restart', params, left)
  end)
end

local function toggle_locals(about)
  local name = key(about.debugger, about.frame)
  if locals[name] then
    locals[name] = nil
    return render()
  end
  local params = vim.tbl_extend('force', stop_of(about), { frame = about.frame.index })
  call('debugger.frame', params, function(detail)
    locals[name] = detail.locals
    render()
  end)
end

local function act()
  local about = entry()
  if about and about.restart then
    M.invoke(about.debugger, about.restart)
  elseif about and about.frame then
    toggle_locals(about)
  end
end

local function leave(operation)
  return function()
    local about = entry()
    if about then
      call('debugger.' .. operation, stop_of(about), left)
    end
  end
end

local function in_frame(operation, prompt)
  return function()
    local about = entry()
    if not (about and about.frame) then
      return
    end
    fields({ prompt }, function(given)
      local params = vim.tbl_extend('force', stop_of(about), { frame = about.frame.index, code = given[1] })
      call('debugger.' .. operation, params, function(result)
        if operation == 'evalInFrame' then
          require('descartes.image').show(result)
        else
          left(result)
        end
      end)
    end)
  end
end

local function restart_frame()
  local about = entry()
  if about and about.frame then
    call('debugger.restartFrame', vim.tbl_extend('force', stop_of(about), { frame = about.frame.index }), left)
  end
end

local function show_source()
  local about = entry()
  local location = about and ((about.frame and about.frame.location) or about.debugger.location)
  if type(location) ~= 'table' then
    return vim.notify('Descartes: no source is known for this frame')
  end
  vim.cmd('wincmd p')
  vim.cmd.edit(vim.fn.fnameescape(vim.uri_to_fname(location.uri)))
  vim.api.nvim_win_set_cursor(0, { location.range.start.line + 1, location.range.start.character })
end

local function make_buffer()
  M.buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(M.buffer, 'descartes://debugger')
  vim.bo[M.buffer].bufhidden, vim.bo[M.buffer].filetype = 'hide', 'descartes-debugger'
  local maps = {
    ['<CR>'] = act,
    a = leave('abort'),
    c = leave('continue'),
    q = leave('toplevel'),
    e = in_frame('evalInFrame', 'evaluate in frame'),
    R = in_frame('returnFromFrame', 'return from frame'),
    r = restart_frame,
    v = show_source,
  }
  for lhs, action in pairs(maps) do
    vim.keymap.set('n', lhs, action, { buffer = M.buffer, nowait = true })
  end
  for number = 0, 9 do
    vim.keymap.set('n', tostring(number), function()
      local about = entry()
      local restart = about and about.debugger.restarts[number + 1]
      if restart then
        M.invoke(about.debugger, restart)
      end
    end, { buffer = M.buffer, nowait = true })
  end
end

local function open(enter)
  if not (M.buffer and vim.api.nvim_buf_is_valid(M.buffer)) then
    make_buffer()
  end
  render()
  local window = vim.fn.win_findbuf(M.buffer)[1]
  if window then
    return enter and vim.api.nvim_set_current_win(window)
  end
  window = vim.api.nvim_open_win(M.buffer, enter, { split = 'right', win = -1, width = config.get().width })
  vim.wo[window].wrap, vim.wo[window].number, vim.wo[window].relativenumber = false, false, false
  vim.wo[window].signcolumn, vim.wo[window].winfixwidth = 'no', true
  vim.wo[window].winbar = 'Debugger   <CR> restart or locals · a abort · c continue · e eval · v source'
end

--- Take in the stops there are; the window follows, the focus stays.
function M.changed(params)
  local n_before = #M.debuggers
  M.debuggers = params.debuggers
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesDebugger', data = params })
  local shown = M.buffer and vim.fn.win_findbuf(M.buffer)[1]
  if #M.debuggers > 0 and (shown or (n_before == 0 and config.get().panel)) then
    open(false)
  elseif #M.debuggers == 0 then
    locals = {}
    if shown then
      -- The last window of the editor cannot be closed; it then says that nothing is stopped.
      if #vim.api.nvim_list_wins() > 1 then
        vim.api.nvim_win_close(shown, true)
      else
        render()
      end
    end
  end
end

--- Show the debugger and go there.
function M.show()
  open(true)
end

return M
