-- Neovim with this plugin and nothing else: nvim --clean -u minimal.lua some.lisp
vim.opt.runtimepath:prepend(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h'))
vim.opt.swapfile = false
vim.opt.shadafile = 'NONE'
vim.lsp.set_log_level('debug')
vim.api.nvim_create_autocmd('VimEnter', {
  callback = function()
    vim.notify('The log is ' .. vim.lsp.get_log_path())
  end,
})
