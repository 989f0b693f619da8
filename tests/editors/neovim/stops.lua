--- Several stopped threads at once: the cursor stays with its own, and what is corrected is retried in the right one.
--- Part of the scenario.

---@param test table the harness
return function(test)
  local see, press = test.see, test.press
  local debugger = require('descartes.debugger')
  local here = require('descartes.place').here()

  local text_of, put_cursor, see_stops = test.text_of, test.put_cursor, test.see_stops

  local function line()
    return vim.api.nvim_get_current_line()
  end

  local function evaluate(code)
    local params = vim.tbl_extend('force', here, { code = code })
    require('descartes').call('lisp.eval', params, require('descartes.image').show)
  end

  --- Compile the form at the cursor; what is evaluated afterwards finds it compiled.
  local function compile()
    test.forget()
    press(',c')
    test.see_message('compiled')
  end

  local function in_background(code)
    local params = vim.tbl_extend('force', here, {
      code = ('(progn (sb-thread:make-thread (lambda () %s)) :begun)'):format(code),
      ['repl'] = 'background',
    })
    require('descartes').call('lisp.eval', params)
  end

  local function the_cursor_stays()
    evaluate("(average '())")
    see_stops(1)
    vim.cmd('Descartes debugger')
    put_cursor('AVERAGE NIL')
    press('<CR>')
    see('the variable', function()
      return text_of(0):find('numbers = NIL', 1, true)
    end)
    put_cursor('numbers = NIL')
    in_background('(error "another thread")')
    see_stops(2)
    assert(line():find('numbers = NIL', 1, true), 'the cursor stays, and the variables shown: ' .. line())
    assert(text_of(0):find('2 threads are stopped', 1, true), text_of(0))
    assert(text_of(0):find('another thread', 1, true) < text_of(0):find('numbers = NIL', 1, true), 'the newest first')
    local own = debugger.entry().debugger
    -- As a lens or another client does it.
    require('descartes').call('debugger.abort', { thread = own.thread, level = own.level })
    see_stops(1)
    assert(vim.api.nvim_win_get_cursor(0)[1] == 1, 'what it was on is gone: the cursor is on nobody else\'s line')
    press('a')
    test.see_message('put the cursor on a stop')
    press(']]')
    assert(line():find('another thread', 1, true), line())
    press('a')
    see_stops(0)
  end

  local function a_condition_and_a_console()
    evaluate("(area 2 '(3 4))")
    see_stops(1)
    vim.cmd('Descartes debugger')
    press('C')
    local inspected = see('the condition', function()
      local buffer = vim.api.nvim_get_current_buf()
      return vim.api.nvim_buf_get_name(buffer):find('inspector', 1, true) and text_of(buffer):find('TYPE-ERROR', 1, true)
    end)
    assert(inspected)
    press('q')
    vim.cmd('Descartes debugger')
    put_cursor('AREA 2')
    press('E')
    local console = vim.api.nvim_get_current_buf()
    local function type_in(text)
      vim.api.nvim_buf_set_lines(console, -2, -1, false, { text })
      vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(console), 0 })
      press('<CR>')
    end
    local function see_in_console(text)
      see('the console with ' .. text, function()
        return text_of(console):find(text, 1, true)
      end)
    end
    type_in('(first height)')
    see_in_console('AREA> (first height)\n⇒ 3')
    type_in('(progn (princ "printed") (cons * height))')
    see_in_console('printed\n⇒ (3 3 4)')
    type_in('(progn (format t "here ~a" 7) (sleep 0.3) (format t " and there~%") :said)')
    see_in_console('here 7 and there\n⇒ :SAID')
    type_in('(loop (sleep 0.01) (princ width))')
    see_in_console('\n2')
    press('<C-c>')
    see_stops(2)
    vim.cmd('Descartes debugger')
    press('a')
    see_in_console('; aborted')
    see_stops(1)
    vim.api.nvim_set_current_win(vim.fn.win_findbuf(console)[1])
    type_in('(error "in the console")')
    see_in_console('; stopped: in the console')
    see_stops(2)
    vim.cmd('Descartes debugger')
    press('a')
    see_stops(1)
    press('a')
    see_stops(0)
    see_in_console('; this frame was left')
    vim.api.nvim_buf_delete(console, { force = true })
  end

  local function what_was_corrected_is_retried()
    local before = line()
    put_cursor('(length numbers)')
    evaluate("(average '())")
    see_stops(1)
    in_background('(error "another thread")')
    see_stops(2)
    before = line()
    vim.api.nvim_set_current_line((before:gsub('%(length numbers%)', '(max 1 (length numbers))')))
    vim.cmd('Descartes retry')
    test.see_message('⇒ 0')
    see_stops(1)
    assert(debugger.debuggers[1].condition.message:find('another thread', 1, true), 'the other one is left alone')
    vim.api.nvim_set_current_line(before)
    compile()
    evaluate("(average '())")
    see_stops(2)
    in_background("(average '())")
    see_stops(3)
    test.choose('DIVISION-BY-ZERO')
    vim.api.nvim_set_current_line((before:gsub('%(length numbers%)', '(max 1 (length numbers))')))
    vim.cmd('Descartes retry')
    see_stops(2)
    vim.api.nvim_set_current_line(before)
    compile()
    vim.cmd('Descartes debugger')
    press('gg]]q')
    see_stops(1)
    press(']]q')
    see_stops(0)
  end

  local function restarts_propose()
    evaluate([[(progn
      (defun scaled (width)
        (declare (optimize (debug 3)))
        (restart-case (error "no scale for ~a" width)
          (try-width (width &optional (factor 2)) (* width factor))))
      (scaled 21))]])
    see_stops(1)
    vim.cmd('Descartes debugger')
    test.answer_prompts(true, '3') -- the width that is proposed, and not the factor that is
    put_cursor('TRY-WIDTH')
    press('<CR>')
    test.see_message('⇒ 63')
    local first, second = unpack(test.prompts, #test.prompts - 1)
    assert(first.prompt == 'width (now 21): ' and first.default == 'width', vim.inspect(first))
    assert(second.prompt == 'factor (may be empty): ' and second.default == '2', vim.inspect(second))
  end

  test.each_from_here({ the_cursor_stays, a_condition_and_a_console, what_was_corrected_is_retried, restarts_propose })
end
