-- Starts Descartes for Lisp files and defines :Descartes. No setup() is needed; options are in vim.g.descartes.
if vim.g.loaded_descartes then
  return
end
vim.g.loaded_descartes = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('Descartes needs Neovim 0.10 or newer', vim.log.levels.ERROR)
  return
end

local group = vim.api.nvim_create_augroup('descartes', {})
vim.api.nvim_create_autocmd('FileType', {
  group = group,
  pattern = 'lisp',
  callback = function(event)
    require('descartes').attach(event.buf)
  end,
})

-- What the server writes to be looked at, and its settings: served by the server that runs already.
vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile' }, {
  group = group,
  pattern = { '*/.descartes/views/*', 'descartes.toml', '*/.descartes/config.toml' },
  callback = function(event)
    require('descartes').attach_if_running(event.buf)
  end,
})

vim.api.nvim_create_user_command('Descartes', function(command)
  require('descartes.commands').run(command)
end, {
  nargs = '*',
  range = true,
  desc = 'Work with the live Lisp image, leases, runs and history',
  complete = function(lead, line)
    return require('descartes.commands').complete(lead, line)
  end,
})

-- Files that were opened before this plugin was loaded.
for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
  if vim.bo[buffer].filetype == 'lisp' and vim.api.nvim_buf_is_loaded(buffer) then
    require('descartes').attach(buffer)
  end
end
