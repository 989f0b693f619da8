--- Several things chosen at once: a small window with a mark before each.
local M = {}

local KEYS = '<Space> mark or unmark  <CR> go on  q leave it'
local namespace = vim.api.nvim_create_namespace('descartes-choosing')

---@class descartes.Markable
---@field id string
---@field text string
---@field note? string what stands behind it
---@field warn? boolean the note is a warning
---@field off? boolean not marked at first

local function width_of(items)
  local width = 0
  for _, item in ipairs(items) do
    width = math.max(width, vim.fn.strdisplaywidth(item.text))
  end
  return width
end

--- Return the line of ITEM, whose note stands in the column behind the longest of WIDTH columns.
local function line_of(item, width)
  local mark = ('[%s] %s'):format(item.marked and 'x' or ' ', item.text)
  local gap = (' '):rep(width - vim.fn.strdisplaywidth(item.text) + 2)
  return mark .. gap .. (item.note or ''), #mark + #gap
end

local function draw(buffer, items)
  local width, lines, notes = width_of(items), {}, {}
  for row, item in ipairs(items) do
    lines[row], notes[row] = line_of(item, width)
  end
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for row, item in ipairs(items) do
    local group = item.warn and 'DiagnosticWarn' or 'Comment'
    vim.api.nvim_buf_set_extmark(buffer, namespace, row - 1, notes[row], { end_col = #lines[row], hl_group = group })
  end
end

--- Open a window above the code for ITEMS, under TITLE, and go there.
local function open(title, items)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buffer, 'descartes://choice')
  vim.bo[buffer].bufhidden = 'wipe'
  draw(buffer, items)
  local width = vim.fn.strdisplaywidth(KEYS) + 2
  for _, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    width = math.max(width, vim.fn.strdisplaywidth(line) + 1)
  end
  width = math.min(width, vim.o.columns - 4)
  local height = math.min(#items, math.floor(vim.o.lines * 0.6))
  local window = vim.api.nvim_open_win(buffer, true, {
    relative = 'editor',
    row = math.floor((vim.o.lines - height) / 3),
    col = math.floor((vim.o.columns - width) / 2),
    width = width,
    height = height,
    border = 'rounded',
    title = (' %s '):format(title),
    footer = (' %s '):format(KEYS),
    style = 'minimal',
  })
  vim.wo[window].cursorline, vim.wo[window].wrap = true, false
  return buffer, window
end

--- Return the ids of those of ITEMS that are marked.
local function marked(items)
  local found = {}
  for _, item in ipairs(items) do
    if item.marked then
      found[#found + 1] = item.id
    end
  end
  return found
end

--- Let the person mark some of ITEMS under TITLE; DONE gets their ids, at least one. Leaving the window is no answer.
---@param title string
---@param items descartes.Markable[]
---@param done fun(ids: string[])
function M.several(title, items, done)
  for _, item in ipairs(items) do
    item.marked = not item.off
  end
  local buffer, window = open(title, items)
  local function map(key, act)
    vim.keymap.set('n', key, act, { buffer = buffer, nowait = true, silent = true })
  end
  map('<Space>', function()
    local item = items[vim.api.nvim_win_get_cursor(window)[1]]
    item.marked = not item.marked
    draw(buffer, items)
  end)
  map('<CR>', function()
    local ids = marked(items)
    if #ids == 0 then
      return vim.notify('Descartes: mark at least one line, or leave it with q')
    end
    vim.api.nvim_win_close(window, true)
    done(ids)
  end)
  map('q', function()
    vim.api.nvim_win_close(window, true)
  end)
end

return M
