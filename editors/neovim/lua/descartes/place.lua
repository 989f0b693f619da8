--- Where the cursor is, as parameters of operations.
local M = {}

--- Return the file and the cursor's place in it.
function M.here()
  local client = require('descartes').client()
  local encoding = client and client.offset_encoding or 'utf-16'
  local params = vim.lsp.util.make_position_params(0, encoding)
  return { uri = params.textDocument.uri, position = params.position }
end

--- Return the file.
function M.file()
  return { uri = vim.uri_from_bufnr(0) }
end

--- Return parameters that name the symbol TEXT, or the one under the cursor, as it is written here.
---@param text string
function M.symbol(text)
  local params = { symbol = text ~= '' and text or vim.fn.expand('<cword>') }
  if vim.bo.buftype == '' and vim.bo.filetype == 'lisp' then
    params = vim.tbl_extend('force', M.here(), params)
  end
  return params
end

return M
