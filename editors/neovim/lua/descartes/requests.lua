--- Requests in the form that Neovim 0.10 and 0.11 both take.
local M = {}

--- Send METHOD with PARAMS to CLIENT; HANDLER gets (err, result).
---@param client vim.lsp.Client
function M.send(client, method, params, handler)
  if vim.fn.has('nvim-0.11') == 1 then
    return client:request(method, params, handler)
  end
  return client.request(method, params, handler)
end

return M
