--- The debugger's window: conditions, restarts and frames of every stopped thread, beside the code.
--- It opens without taking the focus, and nothing but a key pressed in it invokes a restart.
local M = {}

local asking = require('descartes.asking')
local config = require('descartes.config')
local view = require('descartes.debugger_view')

M.debuggers = {} ---@type table[] the stops there are now
M.buffer = nil ---@type integer?

local KEYS = '<CR> choose  a abort  c continue  e eval  sxo step  g? help'
local MORE_FRAMES = 50
local namespace = vim.api.nvim_create_namespace('descartes-debugger')
local lines = {} ---@type descartes.Line[]
local locals = {} ---@type table<string, table[]>

local function call(operation, arguments, done)
  require('descartes').call(operation, arguments, done)
end

local function show_value(result)
  if result and result.evaluation then
    require('descartes.image').show(result.evaluation)
  end
end

local function of(about, more)
  local stop = { thread = about.debugger.thread, level = about.debugger.level }
  return vim.tbl_extend('force', stop, more or {})
end

local function render()
  if not (M.buffer and vim.api.nvim_buf_is_valid(M.buffer)) then
    return
  end
  lines = view.lines(M.debuggers, locals)
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

--- Return what the line under the cursor is about, or the nearest line above that is about something.
---@return descartes.Entry?
local function entry()
  for row = vim.api.nvim_win_get_cursor(0)[1], 1, -1 do
    if lines[row] and lines[row].entry then
      return lines[row].entry
    end
  end
end

--- Invoke RESTART of DEBUGGER, after asking for its arguments.
function M.invoke(debugger, restart)
  asking.texts(asking.of_restart(restart), function(texts)
    local params = of({ debugger = debugger }, { index = restart.index, name = restart.name })
    params.arguments = #texts > 0 and texts or nil
    call('debugger.restart', params, show_value)
  end)
end

--- Invoke what PARAMS of `debugger.restart` name; the arguments that it needs and PARAMS lack are asked for.
function M.invoke_with(params)
  for _, debugger in ipairs(M.debuggers) do
    if debugger.thread == params.thread and debugger.level == params.level and not params.arguments then
      for _, restart in ipairs(debugger.restarts) do
        if restart.index == params.index then
          return M.invoke(debugger, restart)
        end
      end
    end
  end
  call('debugger.restart', params, show_value)
end

local function fetch_locals(about)
  call('debugger.frame', of(about, { frame = about.frame.index }), function(detail)
    locals[view.key(about.debugger, about.frame)] = detail
    render()
  end)
end

local function toggle_locals(about)
  local key = view.key(about.debugger, about.frame)
  if locals[key] then
    locals[key] = nil
    render()
  else
    fetch_locals(about)
  end
end

local function more_frames(about)
  local from = #about.debugger.frames
  local range = { start = from, ['end'] = math.min(from + MORE_FRAMES, about.debugger.frameCount) }
  call('debugger.frames', of(about, range), function(result)
    vim.list_extend(about.debugger.frames, result.frames)
    render()
  end)
end

local function inspect(about, more)
  require('descartes.inspector').open(of(about, vim.tbl_extend('force', { frame = about.frame.index }, more)))
end

local function act()
  local about = entry()
  if about and about.restart then
    M.invoke(about.debugger, about.restart)
  elseif about and about.variable then
    inspect(about, { ['local'] = about.variable.name })
  elseif about and about.frame then
    toggle_locals(about)
  elseif about and about.more then
    more_frames(about)
  end
end

local function leave(operation)
  return function()
    local about = entry()
    if about then
      call('debugger.' .. operation, of(about), show_value)
    end
  end
end

--- Return a function that does DO with the frame under the cursor, after asking for a form with PROMPT if there is one.
local function with_frame(prompt, do_it)
  return function()
    local about = entry()
    if not (about and about.frame) then
      return vim.notify('Descartes: put the cursor on a frame')
    end
    asking.texts(prompt and { { name = prompt } } or {}, function(texts)
      do_it(about, of(about, { frame = about.frame.index, code = texts[1] }))
    end)
  end
end

local eval_in_frame = with_frame('evaluate in frame', function(about, params)
  call('debugger.evalInFrame', params, function(evaluation)
    require('descartes.image').show(evaluation)
    if evaluation.state == 'done' and locals[view.key(about.debugger, about.frame)] then
      fetch_locals(about)
    end
  end)
end)

local return_from_frame = with_frame('return from frame', function(_, params)
  call('debugger.returnFromFrame', params, show_value)
end)

local restart_frame = with_frame(nil, function(_, params)
  call('debugger.restartFrame', params, show_value)
end)

local inspect_in_frame = with_frame('inspect in frame', function(about, params)
  inspect(about, { expression = params.code })
end)

--- Return the forms that TEXT has one after the other.
local function forms(text)
  local found, start, depth, quoted = {}, nil, 0, false
  for at = 1, #text + 1 do
    local char = at <= #text and text:sub(at, at) or ' '
    if quoted then
      quoted = char ~= '"' or text:sub(at - 1, at - 1) == '\\'
    elseif char == '"' then
      quoted, start = true, start or at
    elseif char:match('%s') and depth == 0 then
      if start then
        found[#found + 1] = text:sub(start, at - 1)
      end
      start = nil
    else
      start = start or at
      depth = depth + (char == '(' and 1 or char == ')' and -1 or 0)
    end
  end
  return found
end

--- Call the frame's function again with arguments that are edited first.
local call_again = with_frame(nil, function(about, params)
  local name, before = about.frame.description:match('^%((%S+)%s*(.*)%)$')
  vim.ui.input({ prompt = ('Arguments of %s: '):format(name or 'the call'), default = before }, function(text)
    if text then
      call('debugger.restartFrame', vim.tbl_extend('force', params, { arguments = forms(text) }), show_value)
    end
  end)
end)

local recompile = with_frame(nil, function(_, params)
  call('debugger.recompile', params, function(compilation)
    vim.notify('Descartes: ' .. (compilation.success and 'compiled with full debug' or 'it did not compile'))
  end)
end)

local function step(kind)
  return function()
    local about = entry()
    if about then
      call('debugger.step', of(about, { kind = kind }), show_value)
    end
  end
end

--- Compile the form at AT as it is now and call its stopped frame again; when it does not compile, stay stopped.
function M.retry(at)
  local debugger = M.debuggers[#M.debuggers]
  if not debugger then
    return vim.notify('Descartes: no thread is stopped')
  end
  call('debugger.retryWithFix', of({ debugger = debugger }, at), show_value)
end

--- Return a window of this tab that shows code, or make one.
local function code_window()
  for _, window in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    local buffer = vim.api.nvim_win_get_buf(window)
    if vim.api.nvim_win_get_config(window).relative == '' and vim.bo[buffer].buftype == '' then
      return window
    end
  end
  return vim.api.nvim_open_win(vim.api.nvim_create_buf(true, false), false, { split = 'left', win = 0 })
end

function M.go_to(location)
  if not (location and location.uri) then
    return vim.notify('Descartes: no source is known here')
  end
  local client = require('descartes').client()
  vim.api.nvim_set_current_win(code_window())
  vim.lsp.util.show_document(location, client and client.offset_encoding or 'utf-16', { focus = true })
end

local function show_source()
  local about = entry()
  if not about then
    return
  end
  local frame = about.frame
  if frame and not frame.location then
    return call('debugger.frame', of(about, { frame = frame.index }), function(detail)
      M.go_to(detail.location)
    end)
  end
  M.go_to(frame and frame.location or about.debugger.location)
end

local function restart_numbered(number)
  return function()
    local about = entry()
    for _, restart in ipairs(about and about.debugger.restarts or {}) do
      if restart.index == number then
        return M.invoke(about.debugger, restart)
      end
    end
    vim.notify(('Descartes: there is no restart %d'):format(number))
  end
end

--- Show the manual; a plugin manager makes the tags that `:help` needs.
local function show_help()
  if not pcall(vim.cmd.help, 'descartes-debugger') then
    vim.cmd('botright sview +/\\*descartes-debugger\\* ' .. vim.api.nvim_get_runtime_file('doc/descartes.txt', false)[1])
  end
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
    e = eval_in_frame,
    R = return_from_frame,
    r = restart_frame,
    C = call_again,
    i = inspect_in_frame,
    D = recompile,
    s = step('into'),
    x = step('next'),
    o = step('out'),
    v = show_source,
    ['g?'] = show_help,
  }
  for lhs, action in pairs(maps) do
    vim.keymap.set('n', lhs, action, { buffer = M.buffer, nowait = true, silent = true })
  end
  for number = 0, 9 do
    vim.keymap.set('n', tostring(number), restart_numbered(number), { buffer = M.buffer, nowait = true })
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

local function window_of_debugger()
  return M.buffer and vim.fn.win_findbuf(M.buffer)[1]
end

local function open(enter)
  if not (M.buffer and vim.api.nvim_buf_is_valid(M.buffer)) then
    make_buffer()
  end
  render()
  local window = window_of_debugger()
  if window then
    return enter and vim.api.nvim_set_current_win(window)
  end
  window = vim.api.nvim_open_win(M.buffer, enter, place())
  local options = { wrap = false, number = false, relativenumber = false, signcolumn = 'no', cursorline = true }
  local more = { winfixwidth = true, winfixheight = true, list = false, fillchars = 'eob: ', winbar = KEYS }
  for name, value in pairs(vim.tbl_extend('force', options, more)) do
    vim.wo[window][0][name] = value
  end
end

local function close(window)
  -- The editor's last window cannot be closed; it then says that nothing is stopped.
  if #vim.api.nvim_list_wins() == 1 or not pcall(vim.api.nvim_win_close, window, true) then
    render()
  end
end

--- Take in the stops there are; the window follows, the focus stays.
function M.changed(params)
  local n_before = #M.debuggers
  M.debuggers = params.debuggers
  local window = window_of_debugger()
  if #M.debuggers == 0 then
    locals = {}
    if window then
      close(window)
    end
  elseif window then
    render()
    if #M.debuggers ~= n_before then
      vim.api.nvim_win_set_cursor(window, { 1, 0 })
    end
  elseif n_before == 0 and config.get().panel then
    open(false)
  end
  vim.cmd.redrawstatus()
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesDebugger', data = params })
end

--- Show the debugger and go there.
function M.show()
  open(true)
end

return M
