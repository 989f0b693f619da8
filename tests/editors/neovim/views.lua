--- The image looked at: REPL, inspector, tests, expansions, calls as a tree. Part of the scenario.

---@param test table the harness
---@param workspace string
return function(test, workspace)
  local see, press = test.see, test.press

  local text_of, put_cursor, see_in, go_to = test.text_of, test.put_cursor, test.see_in, test.go_to

  local function result_at_its_form()
    put_cursor('(area 2 3)')
    press(',e')
    see('the result behind its form', function()
      for _, hint in ipairs(vim.lsp.inlay_hint.get({ bufnr = 0 })) do
        local label = hint.inlay_hint.label
        local text = type(label) == 'string' and label or label[1].value
        if text:find('⇒ 6', 1, true) then
          return true
        end
      end
    end)
  end

  local function repl()
    vim.cmd('Descartes repl')
    local buffer = require('descartes.repl').buffer
    local function type_in(text)
      vim.api.nvim_buf_set_lines(buffer, -2, -1, false, vim.split(text, '\n'))
      vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(buffer), 0 })
      press('<CR>')
    end
    type_in('(list 1')
    see('a new line for the rest of the form', function()
      return vim.api.nvim_buf_get_lines(buffer, -2, -1, false)[1]:match('^%s+$')
    end)
    type_in('2)')
    see_in('repl/main', '#v1 ⇒ (1 2)')
    type_in('(values (first *) (cons #v1 #v1))')
    see_in('repl/main', '#v2 ⇒ 1\n#v2:1 ⇒ ((1 2) 1 2)')
    type_in('(progn (format t "here ~a" 7) (sleep 0.5) (format t " and there~%") :said)')
    see_in('repl/main', 'here 7 and there\n#v3 ⇒ :SAID')
    type_in('(in-package :keyword)')
    type_in('')
    see_in('repl/main', 'KEYWORD')
    type_in('(cl:in-package :cl-user)')
    see_in('repl/main', '#v5')
    vim.api.nvim_buf_set_lines(buffer, -2, -1, false, { '(multiple-value-bi' })
    press('A<C-x><C-o><Esc>')
    see('the completed name', function()
      return vim.api.nvim_buf_get_lines(buffer, -2, -1, false)[1]:find('(multiple-value-bind', 1, true)
    end)
    vim.api.nvim_buf_set_lines(buffer, -2, -1, false, { '' })
    type_in('(car 7)')
    see_in('repl/main', '; stopped: ')
    test.see_stops(1)
    vim.cmd('Descartes debugger')
    press('a')
    see_in('repl/main', '; aborted')
    go_to('repl/main')
    put_cursor('#v2:1')
    press('<CR>')
    see_in('inspector/2', '0 = (1 2)')
    press('q')
    go_to('repl/main')
    vim.api.nvim_win_close(0, false)
  end

  local function inspector()
    vim.cmd('Descartes inspect (let ((table (make-hash-table))) (setf (gethash :one table) (list 10 20)) table)')
    see_in('inspector/3', ':ONE → (10 20)')
    put_cursor(':ONE')
    press('<CR>')
    see_in('inspector/3', '1 = 20')
    put_cursor('1 = 20')
    test.answer_prompts('(* 6 7)', "(reduce #'+ *)")
    press('s')
    see_in('inspector/3', '1 = 42')
    press('e')
    see_in('inspector/3', '52')
    press('b')
    see_in('inspector/3', '1 = 42')
    press('q')
  end

  local function explore()
    put_cursor('(defun area')
    vim.cmd('Descartes expand')
    see_in('expansion', '%defun')
    vim.cmd('Descartes describe mapcar')
    see_in('description', 'MAPCAR')
    vim.cmd('Descartes threads')
    see_in('threads', 'main thread')
    vim.cmd('Descartes trace area')
    test.see_message('Traced: ')
    vim.cmd('Descartes eval (area 6 9)')
    test.see_message('⇒ 54')
    vim.cmd('Descartes trace-tree')
    see_in('trace', 'area 6 9) ⇒ 54')
    vim.cmd('Descartes untrace')
    test.see_message('Traced: nothing')
    vim.cmd('Descartes callers reduce')
    see('the callers', function()
      return vim.fn.getqflist({ title = 0 }).title == 'callers of reduce' and vim.fn.getqflist()[1].text:find('average', 1, true)
    end)
    vim.cmd.cclose()
  end

  local function retry()
    put_cursor('(length numbers)')
    vim.cmd("Descartes eval (average '())")
    see('the stop', function()
      return #require('descartes.debugger').debuggers == 1
    end)
    vim.api.nvim_set_current_line((vim.api.nvim_get_current_line():gsub('%(length numbers%)', '(max 1 (length numbers))')))
    vim.cmd('Descartes retry')
    test.see_message('⇒ 0')
    vim.cmd('Descartes break average')
    test.see_message('stops at SHAPES:AVERAGE')
    vim.cmd("Descartes eval (average '(1 2))")
    see('the breakpoint', function()
      local stop = require('descartes.debugger').debuggers[1]
      return stop and stop.condition.type:lower():find('breakpoint', 1, true)
    end)
    test.choose('')
    vim.cmd('Descartes clear-breakpoint')
    test.see_message('is gone')
    vim.cmd('Descartes debugger')
    press('c')
    test.see_message('⇒ 3/2')
  end

  local function tests()
    vim.fn.writefile({
      '(defsystem "checks" :depends-on ("fiveam") :components ((:file "checks")))',
    }, workspace .. '/checks.asd')
    vim.fn.writefile({
      '(defpackage :checks (:use :cl :fiveam)) (in-package :checks)',
      '(test adds (is (= 4 (+ 2 2))))',
      '(test fails (is (= 5 (+ 2 2))))',
    }, workspace .. '/checks.lisp')
    vim.cmd('Descartes test checks')
    local buffer = see_in('tests', 'failed   checks::fails')
    local text = text_of(buffer)
    assert(text:find('passed   checks::adds', 1, true) and text:find('1 passed · 1 failed', 1, true), text)
    go_to('tests')
    press('r')
    test.see_message('Tests: 0 passed · 1 failed')
    put_cursor('checks::fails')
    press('<CR>')
    see('the test', function()
      return vim.api.nvim_get_current_line():find('test fails', 1, true)
    end)
    vim.cmd.edit(workspace .. '/shapes.lisp')
  end

  local function notes()
    vim.cmd('Descartes note Why numbers are halved')
    see('the new note', function()
      return vim.api.nvim_buf_get_name(0):find('why-numbers-are-halved.md', 1, true)
    end)
    vim.fn.append('$', 'Because the scribe says so.')
    vim.cmd.write()
    vim.cmd.edit(workspace .. '/shapes.lisp')
    test.choose('Why numbers are halved')
    vim.cmd('Descartes notes scribe')
    see('the note again', function()
      return text_of(0):find('Because the scribe says so.', 1, true)
    end)
    vim.cmd.edit(workspace .. '/shapes.lisp')
  end

  test.each_from_here({ result_at_its_form, repl, retry, inspector, explore, tests, notes })
  vim.cmd.only()
end
