--- Code lenses as lines above the code: those of a stopped form are too long to stand behind it.
--- They are also put where `vim.lsp.codelens.run` finds them.
local M = {}

local namespace = vim.api.nvim_create_namespace('descartes-lenses')
local SEPARATOR = { ' │ ', 'DescartesLensSeparator' }
local GROUPS = {
  DescartesLens = 'Comment',
  DescartesLensSeparator = 'NonText',
  DescartesLensStopped = 'DiagnosticError',
}
local WIDTH = 76 -- columns; longer lines of lenses are broken
local lenses_of = {} ---@type table<integer, lsp.CodeLens[]> by buffer

local function by_line(lenses)
  local found = {} ---@type table<integer, lsp.CodeLens[]>
  for _, lens in ipairs(lenses) do
    local line = lens.range.start.line
    found[line] = found[line] or {}
    table.insert(found[line], lens)
  end
  return found
end

local function group_of(lens)
  return lens.command.command == 'descartes.debugger.list' and 'DescartesLensStopped' or 'DescartesLens'
end

--- Return LENSES as virtual lines after INDENT, broken between two lenses where a line grows longer than WIDTH.
local function virtual_lines(lenses, indent, width)
  local lines, column = { { { indent } } }, #indent
  for index, lens in ipairs(lenses) do
    local size = vim.fn.strdisplaywidth(lens.command.title)
    if index > 1 and column + size + 3 > width then
      table.insert(lines, { { indent } })
      column = #indent
    elseif index > 1 then
      table.insert(lines[#lines], SEPARATOR)
    end
    table.insert(lines[#lines], { lens.command.title, group_of(lens) })
    column = column + size + 3
  end
  return lines
end

local function draw(buffer)
  vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for line, lenses in pairs(by_line(lenses_of[buffer] or {})) do
    local text = vim.api.nvim_buf_get_lines(buffer, line, line + 1, false)[1]
    if text and line == 0 then
      -- Neovim does not show virtual lines above the first line.
      vim.api.nvim_buf_set_extmark(buffer, namespace, 0, 0, { virt_text = virtual_lines(lenses, ' ', math.huge)[1], hl_mode = 'combine' })
    elseif text then
      vim.api.nvim_buf_set_extmark(buffer, namespace, line, 0, {
        virt_lines = virtual_lines(lenses, text:match('^%s*'), WIDTH),
        virt_lines_above = true,
      })
    end
  end
end

--- Ask for the lenses of BUFFER and draw them.
function M.refresh(buffer)
  local client = vim.lsp.get_clients({ name = 'descartes', bufnr = buffer })[1]
  if not client or not vim.api.nvim_buf_is_loaded(buffer) then
    return
  end
  local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
  local tick = vim.api.nvim_buf_get_changedtick(buffer)
  require('descartes.requests').send(client, 'textDocument/codeLens', params, function(err, lenses)
    if err or not vim.api.nvim_buf_is_loaded(buffer) or tick ~= vim.api.nvim_buf_get_changedtick(buffer) then
      return
    end
    lenses_of[buffer] = lenses or {}
    vim.lsp.codelens.save(lenses_of[buffer], buffer, client.id)
    draw(buffer)
  end)
end

--- Ask anew for the lenses of all buffers that CLIENT_ID serves.
function M.refresh_all(client_id)
  for buffer in pairs((vim.lsp.get_client_by_id(client_id) or {}).attached_buffers or {}) do
    M.refresh(buffer)
  end
end

--- Keep the lenses of BUFFER up to date.
function M.follow(buffer)
  for name, link in pairs(GROUPS) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
  vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'TextChanged' }, {
    group = vim.api.nvim_create_augroup('descartes-lens-' .. buffer, {}),
    buffer = buffer,
    callback = function()
      M.refresh(buffer)
    end,
  })
  M.refresh(buffer)
end

local function run(lens)
  local command = lens.command
  require('descartes.actions').run(command)
end

--- Run a lens of the cursor's line; asks which, when there are several.
function M.run()
  local line = vim.api.nvim_win_get_cursor(0)[1] - 1
  local here = by_line(lenses_of[vim.api.nvim_get_current_buf()] or {})[line]
  if not here then
    return vim.notify('Descartes: there is no code lens on this line')
  end
  if #here == 1 then
    return run(here[1])
  end
  vim.ui.select(here, {
    prompt = 'Code lens:',
    kind = 'codelens',
    format_item = function(lens)
      return lens.command.title
    end,
  }, function(lens)
    if lens then
      run(lens)
    end
  end)
end

return M
