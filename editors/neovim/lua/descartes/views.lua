--- Windows that show what the image answered: lines with colours, each about something, and keys of their own.
local M = {}

local namespace = vim.api.nvim_create_namespace('descartes-view')

---@class descartes.View
---@field buffer integer
---@field entries table<integer, any> what a line is about, by row counted from 1
local View = {}
View.__index = View

--- The options of windows that show no code.
M.OPTIONS = {
  number = false,
  relativenumber = false,
  signcolumn = 'no',
  wrap = false,
  list = false,
  fillchars = 'eob: ',
}

local open = {} ---@type table<string, descartes.View>

--- Replace the text by LINES: lists of {text, highlight group?}, and in `entry` what the line is about.
function View:set(lines)
  local texts, groups = {}, {}
  self.entries = {}
  for row, line in ipairs(lines) do
    local text = ''
    for _, part in ipairs(line) do
      local piece = part[1]:gsub('\n', ' ')
      if part[2] then
        groups[#groups + 1] = { row - 1, #text, #text + #piece, part[2] }
      end
      text = text .. piece
    end
    texts[row], self.entries[row] = text, line.entry
  end
  vim.bo[self.buffer].modifiable = true
  vim.api.nvim_buf_set_lines(self.buffer, 0, -1, false, texts)
  vim.bo[self.buffer].modifiable = false
  vim.api.nvim_buf_clear_namespace(self.buffer, namespace, 0, -1)
  for _, group in ipairs(groups) do
    vim.api.nvim_buf_set_extmark(self.buffer, namespace, group[1], group[2], { end_col = group[3], hl_group = group[4] })
  end
end

--- Return what the line under the cursor is about, or nil.
function View:entry()
  return self.entries[vim.api.nvim_win_get_cursor(0)[1]]
end

function View:window()
  return vim.fn.win_findbuf(self.buffer)[1]
end

--- Return a window of this tab that shows another view: it shows this one next.
local function window_of_a_view()
  for _, view in pairs(open) do
    local window = vim.api.nvim_buf_is_valid(view.buffer) and view:window()
    if window and vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage() then
      return window
    end
  end
end

--- Give the view a window: one that shows another view, else a new one, to which one goes if ENTER.
function View:open(enter)
  local window = window_of_a_view()
  if window then
    vim.api.nvim_win_set_buf(window, self.buffer)
  else
    local height = math.max(8, math.floor(vim.o.lines * 0.35))
    window = vim.api.nvim_open_win(self.buffer, enter or false, { split = 'below', win = 0, height = height })
  end
  for name, value in pairs(M.OPTIONS) do
    vim.wo[window][0][name] = value
  end
  return window
end

--- Have a window for the view, with WINBAR above it; go there if ENTER.
function View:show(winbar, enter)
  local window = self:window() or self:open(enter)
  if enter then
    vim.api.nvim_set_current_win(window)
  end
  vim.wo[window][0].winbar = winbar
  return window
end

--- Have a window for the view as `show`, for sentences: a long one goes on in the next line, HANGING columns in.
function View:show_prose(winbar, hanging)
  local window = self:show(winbar)
  local options = { wrap = true, linebreak = true, breakindent = true, breakindentopt = ('shift:%d'):format(hanging) }
  for name, value in pairs(options) do
    vim.wo[window][0][name] = value
  end
end

--- Let each of KEYS, functions by key, do something with the view.
---@param keys table<string, fun(view: descartes.View)>
function View:map(keys)
  for key, act in pairs(keys) do
    vim.keymap.set('n', key, function()
      act(self)
    end, { buffer = self.buffer, nowait = true, silent = true })
  end
end

--- Return the view NAME, made with KEYS, functions by key, when there is none; `q` closes its window.
---@param name string
---@param keys table<string, fun(view: descartes.View)>
---@return descartes.View
function M.view(name, keys)
  local view = open[name]
  if view and vim.api.nvim_buf_is_valid(view.buffer) then
    return view
  end
  view = setmetatable({ buffer = vim.api.nvim_create_buf(false, true), entries = {} }, View)
  open[name] = view
  vim.api.nvim_buf_set_name(view.buffer, 'descartes://' .. name)
  vim.bo[view.buffer].bufhidden = 'hide'
  view:map({
    q = function()
      vim.api.nvim_win_close(0, false)
    end,
  })
  view:map(keys)
  return view
end

--- Show TEXT as the view NAME; FILETYPE colours it.
function M.text(name, text, filetype)
  local view = M.view(name, {})
  view.entries = {}
  vim.bo[view.buffer].modifiable = true
  vim.api.nvim_buf_set_lines(view.buffer, 0, -1, false, vim.split(text, '\n', { plain = true }))
  vim.bo[view.buffer].modifiable = false
  if filetype then
    -- Only the colours: a server of its own is not wanted here.
    vim.bo[view.buffer].syntax = filetype
  end
  view:show(name)
  return view
end

--- Put LOCATIONS, called TITLE, into the quickfix list and open it, each with the text that TEXT makes of it.
--- What is in no file stands at the end.
---@param locations table[]
---@param text fun(location: table): string?
function M.places(title, locations, text)
  if #locations == 0 then
    return vim.notify('Descartes: none is known')
  end
  local here = vim.tbl_filter(function(location)
    return type(location.uri) == 'string' and type(location.range) == 'table'
  end, locations)
  local client = require('descartes').client()
  local items = vim.lsp.util.locations_to_items(here, client and client.offset_encoding or 'utf-16')
  for _, item in ipairs(items) do
    item.text = text(item.user_data) or item.text
  end
  for _, location in ipairs(locations) do
    if not vim.tbl_contains(here, location) then
      items[#items + 1] = { text = text(location), valid = 0 }
    end
  end
  vim.fn.setqflist({}, ' ', { title = title, items = items })
  vim.cmd('botright copen')
  vim.cmd.wincmd('p')
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

--- Go to LOCATION in a window that shows code.
function M.go_to(location)
  if type(location) ~= 'table' or not location.uri then
    return vim.notify('Descartes: no source is known here')
  end
  local client = require('descartes').client()
  vim.api.nvim_set_current_win(code_window())
  vim.lsp.util.show_document(location, client and client.offset_encoding or 'utf-16', { focus = true })
end

return M
