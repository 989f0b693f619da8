;;; harness.el --- What the tests in Emacs use -*- lexical-binding: t -*-

;;; Commentary:

;; A condition that is waited for, prompts that are answered, and a session
;; that works with eglot and with lsp-mode alike: it knows only Descartes.

;;; Code:

(require 'cl-lib)
(require 'ert)
(require 'descartes)

(setq make-backup-files nil auto-save-default nil create-lockfiles nil
      descartes-trusted t
      enable-local-variables nil)

(defvar test-workspace (file-name-as-directory (getenv "EDITOR_TEST_WORKSPACE")))
(defvar test-messages nil "Every message, the newest first.")

(advice-add 'message :before
            (lambda (form &rest arguments)
              (when form (push (apply #'format-message form arguments) test-messages))))

(defvar test-patience 60 "Seconds that something may take to be seen.")

(defmacro test-see (what form)
  "Wait for FORM and return its value; fail the test, saying WHAT, without one."
  `(let ((end (+ (float-time) test-patience)) found)
     (while (not (or (setq found ,form) (> (float-time) end)))
       (accept-process-output nil 0.02))
     (unless found
       (ert-fail (list "not seen" ,what (seq-take test-messages 8))))
     ;; What is said here is nothing to be waited for.
     (let ((test-messages nil)) (message "ok %s" ,what))
     found))

(defun test-see-message (text)
  "Wait for a message that contains TEXT; it and those before it are not looked at again."
  (let* ((fits (lambda (each) (string-match-p (regexp-quote text) each)))
         (found (test-see text (cl-find-if fits test-messages :from-end t))))
    (setq test-messages (seq-take test-messages (cl-position found test-messages :from-end t)))
    found))

(defvar test-prompts nil "Every prompt that was answered by `test-answering', the newest first.")
(defvar test-proposed nil "What was there to be accepted at each of them.")
(defvar test-offered nil "What there was to choose from where several could be chosen, with its annotations.")

(defun test-annotated (candidates)
  "Return CANDIDATES as pairs of each and its line."
  (let ((note (plist-get completion-extra-properties :annotation-function)))
    (mapcar (lambda (each) (cons each (concat each (funcall note each)))) candidates)))

(defmacro test-answering (answers &rest body)
  "Do BODY while prompts are answered by ANSWERS, in order.
Where something is chosen, an answer is the beginning of a choice."
  (declare (indent 1))
  `(let ((answers (list ,@answers)))
     (cl-letf (((symbol-function 'read-string)
                (lambda (prompt &optional initial &rest _)
                  (push prompt test-prompts)
                  (push initial test-proposed)
                  (pop answers)))
               ((symbol-function 'completing-read-multiple)
                (lambda (prompt table _predicate _match initial &rest _)
                  (push prompt test-prompts)
                  (push initial test-proposed)
                  (push (test-annotated (all-completions "" table)) test-offered)
                  (pop answers)))
               ((symbol-function 'completing-read)
                (lambda (prompt table &rest _)
                  (let ((start (pop answers)))
                    (or (cl-find-if (lambda (each) (string-prefix-p start each)) (all-completions "" table))
                        (error "%s no choice begins with %s" prompt start))))))
       ,@body)))

(defun test-go-to (text &optional offset)
  "Put point OFFSET characters behind the beginning of TEXT."
  (goto-char (point-min))
  (search-forward text)
  (goto-char (+ (match-beginning 0) (or offset 0))))

(defun test-debugger-text ()
  "Return what the debugger shows, or nothing when it has no window."
  (let ((buffer (get-buffer descartes-debugger-buffer)))
    (if (and buffer (get-buffer-window buffer))
        (with-current-buffer buffer (buffer-string))
      "")))

(defun test-diagnostic (text)
  "Return the diagnostic of the current buffer that contains TEXT."
  (cl-find-if (lambda (each) (string-match-p (regexp-quote text) (flymake-diagnostic-text each)))
              (flymake-diagnostics)))

(defun test-question (title)
  "Return the open question with TITLE."
  (cl-find-if (lambda (each) (string-match-p (regexp-quote title) (plist-get each :title)))
              descartes-questions))

(defmacro test-in-debugger (&rest body)
  "Do BODY in the debugger's window."
  (declare (indent 0))
  `(save-selected-window
     (select-window (get-buffer-window descartes-debugger-buffer))
     ,@body))

(defvar test-connect (lambda () (run-hooks 'post-command-hook))
  "What makes the LSP client connect, as the end of a command does.")

(defun test-open (name)
  "Open the file NAME of the workspace; its server starts after the command."
  (find-file (concat test-workspace name))
  (funcall test-connect)
  (test-see (concat "the server for " name) descartes-mode))

(defun test-stop-in-background (name)
  "Have a background thread stop with NAME in its message."
  (descartes-eval (format "(flet ((inner () (restart-case (error %S) (%s () :report \"Leave it\" nil))))
  (declare (notinline inner))
  (sb-thread:make-thread (lambda () (list (inner))))
  nil)" (concat name " is in the way") name))
  (test-see name (string-match-p (concat name " is in the way") (test-debugger-text))))

;;; The session

(defun test-start ()
  "The server and the image start; a form is evaluated."
  (test-open "shapes.lisp")
  (descartes-eval "(+ 1 2)")
  (test-see-message "⇒ 3"))

(defun test-mistake ()
  "A mistake is compiled, marked at its place, and fixed."
  (test-go-to "(defun area")
  (descartes-compile-form)
  (test-see-message "⇒ compiled")
  (let ((note (test-see "the note of the compiler" (test-diagnostic "HIEGHT"))))
    (test-go-to "hieght")
    (should (= (flymake-diagnostic-beg note) (point))))
  (delete-region (point) (progn (forward-sexp) (point)))
  (insert "height")
  (descartes-compile-form)
  (test-see-message "⇒ compiled")
  (test-see "the note to disappear" (not (test-diagnostic "HIEGHT")))
  (test-go-to "(area 2 3)" 10)
  (descartes-eval-last)
  (test-see-message "⇒ 6")
  (save-buffer))

(defun test-stop ()
  "An evaluation stops: the debugger is shown and the focus stays."
  (test-go-to "(defun average")
  (setq test-messages nil)
  (descartes-compile-form)
  (test-see-message "⇒ compiled")
  (let ((window (selected-window)) (place (point)))
    (descartes-eval "(average '())")
    (test-see "the debugger" (string-match-p "USE-VALUE" (test-debugger-text)))
    (should (eq (selected-window) window))
    (should (= (window-point window) place))
    (should-not (eq (get-buffer-window descartes-debugger-buffer) window)))
  (test-see "the stop as a diagnostic" (test-diagnostic "DIVISION-BY-ZERO"))
  (should (string-match-p "1 stopped" (descartes--mode-line))))

(defun test-examine ()
  "Variables, a form in a frame, source, a nested stop that is aborted."
  (let ((code (current-buffer)))
    (test-in-debugger
      (test-go-to "AVERAGE NIL")
      (descartes-debugger-act)
      (test-see "the variables" (string-match-p "numbers = NIL" (test-debugger-text)))
      (test-go-to "AVERAGE NIL")
      (descartes-debugger-eval-in-frame "(list numbers 7)")
      (test-see-message "⇒ (NIL 7)")
      (test-go-to "AVERAGE NIL")
      (descartes-debugger-eval-in-frame "(setf numbers '(4))")
      (test-see "what it was" (string-match-p "numbers = (4)  was NIL$" (test-debugger-text)))
      (test-go-to "AVERAGE NIL")
      (descartes-debugger-show-source)
      (with-current-buffer code
        (let ((shown (line-number-at-pos (window-point (get-buffer-window code)))))
          (should (= shown (save-excursion (test-go-to "(restart-case") (line-number-at-pos))))))
      (descartes-debugger-eval-in-frame "(error \"a second one\")")
      (test-see "a second level" (string-match-p "\\`a second one" (test-debugger-text)))
      (goto-char (point-min))
      (descartes-debugger-abort)
      (test-see "the first level alone"
                (and (= 1 (length descartes-debuggers))
                     (not (string-match-p "a second one" (test-debugger-text))))))))

(defun test-restart-by-button ()
  "A restart is invoked in the debugger, with its argument."
  (setq test-messages nil)
  (test-in-debugger
    (test-go-to "USE-VALUE")
    (test-answering ("(* 6 7)") (descartes-debugger-act)))
  (test-see-message "⇒ 42")
  (test-see "the debugger to close" (string-empty-p (test-debugger-text)))
  (test-see "the diagnostic to go" (not (test-diagnostic "DIVISION-BY-ZERO"))))

(defun test-read-a-line ()
  "The image reads a line, and prints."
  (let ((last-command 'descartes-eval))
    (test-answering ("forty-two")
      (descartes-eval "(read-line)")
      (test-see-message "⇒ \"forty-two\"")))
  (let ((last-command 'self-insert-command))
    (descartes-eval "(read-line)")
    (test-see-message "Lisp reads"))
  (test-answering ("later") (descartes-reply))
  (test-see-message "⇒ \"later\"")
  (descartes-eval "(princ \"printed\")")
  (test-see "the output" (with-current-buffer (get-buffer-create "*descartes-output*")
                           (string-match-p "printed" (buffer-string)))))

(defun test-agent (hover lenses take-over)
  "A run asks, is answered, and loses the lease of a file.
HOVER returns the text of the hover at point, LENSES those drawn in the
buffer; TAKE-OVER takes the file over."
  (descartes-call "run.spawn" (list :task "Say what the numbers are for" :agent "scribe" :backend "model"
                                    :model (concat "scripted:" (getenv "EDITOR_TEST_SCRIPT"))
                                    :files ["numbers.lisp"]))
  (test-see-message "Descartes asks: write notes.lisp")
  (test-answering ("Accept") (descartes-answer))
  (let ((second (test-see "the second question" (test-question "write numbers.lisp"))))
    (should (file-exists-p (concat test-workspace "notes.lisp")))
    (test-open "numbers.lisp")
    (test-see "the lens" (string-match-p "held by scribe" (funcall lenses)))
    (test-go-to "number 2")
    (should (string-match-p "held by scribe" (funcall hover)))
    (descartes-lease)
    (test-see-message "scribe")
    (funcall take-over)
    (test-see "one's own lease" (string-match-p "held by you" (funcall lenses)))
    (descartes-call "intervention.answer" (list :id (plist-get second :id) :choice "accept"))
    (test-see-message "scribe failed: lease_lost")
    (with-temp-buffer
      (insert-file-contents (concat test-workspace "numbers.lisp"))
      (should (looking-at-p "(defpackage :numbers"))))
  (descartes-history)
  (test-see "the history" (with-current-buffer (get-buffer-create "*descartes-history*")
                            (string-match-p "lease.stolen" (buffer-string))))
  (test-timeline))

(defun test-timeline ()
  "What the run did is walked through, the files are put back as before it, and that is undone."
  (descartes-runs)
  (with-current-buffer (test-see "the runs" (get-buffer "*descartes-runs*"))
    (test-see "the run" (string-match-p "Say what the numbers" (buffer-string)))
    (test-go-to "Say what the numbers")
    (call-interactively (key-binding (kbd "h"))))
  (with-current-buffer (test-see "its history" (cl-find-if (lambda (each)
                                                             (buffer-local-value 'descartes-timeline-mode each))
                                                           (buffer-list)))
    (let (seen)
      (descartes-timeline-less)
      (test-see "less of it" (equal "turns" (plist-get descartes-timeline--document :level)))
      (while (numberp (plist-get descartes-timeline--document :previous))
        (setq seen (plist-get descartes-timeline--document :at))
        (descartes-timeline-previous)
        (test-see "the entry before" (not (equal seen (plist-get descartes-timeline--document :at))))))
    (descartes-timeline-restore)
    (test-see-message "Descartes asks: Go back to")
    (should (equal "delete, held by scribe, unsaved in Emacs"
                   (descartes-questions--file-note '(:change "delete" :leasedBy (:name "scribe") :unsaved "Emacs"))))
    (test-answering ("Go back" '("files") nil) (descartes-answer))
    ;; What goes back is chosen, then the files one by one; the image is offered and not proposed.
    (should (equal '(nil "files,conversation") (seq-take test-proposed 2)))
    (should (member "image" (mapcar #'car (nth 1 test-offered))))
    (should (string-match-p "notes.lisp  delete" (string-join (mapcar #'cdr (nth 0 test-offered)))))
    (test-see "the file to go" (not (file-exists-p (concat test-workspace "notes.lisp"))))
    ;; A file goes before the restore is done.
    (test-see "the restore to be done"
              (not (seq-empty-p (plist-get (descartes-await "restore.list" nil 5) :restores))))
    (with-temp-file (concat test-workspace "notes.lisp") (insert ";; Mine.\n"))
    (setq test-messages nil)
    (test-answering ("Leave" "Undo all")
      (descartes-undo-restore)
      (test-see-message "notes.lisp was changed since the restore; force the undo")
      (test-see "the first answer" (equal answers '("Undo all")))
      (with-temp-buffer
        (insert-file-contents (concat test-workspace "notes.lisp"))
        (should (looking-at-p ";; Mine")))
      (setq test-messages nil)
      (descartes-undo-restore)
      (test-see-message "the restore is undone"))
    (with-temp-buffer
      (insert-file-contents (concat test-workspace "notes.lisp"))
      (should-not (looking-at-p ";; Mine"))))
  (test-replace))

(defun test-replace ()
  "A text is replaced in the files that are left in the diff of them all."
  (let ((one (concat test-workspace "one.lisp")) (two (concat test-workspace "two words.lisp")))
    (dolist (file (list one two))
      (with-temp-file file (insert "(quotient-of 1 2) ; quotient-of\n")))
    (find-file-noselect two)
    ;; One would be asked what to do with what is not saved.
    (save-some-buffers t)
    (test-answering ("symbol" "quotient-of" "ratio-of") (call-interactively #'descartes-replace))
    (with-current-buffer (test-see "the diff" (get-buffer "*descartes-replace*"))
      (should (derived-mode-p 'diff-mode))
      (should (string-match-p "2 places in 2 files" (format "%s" header-line-format)))
      (should (string-match-p "^\\+(ratio-of 1 2) ; quotient-of$" (buffer-string)))
      (test-go-to "+++ b/one.lisp")
      (call-interactively (key-binding (kbd "K")))
      (should (equal '("two words.lisp") (descartes-replace--files)))
      (call-interactively (key-binding (kbd "C-c C-c"))))
    (test-see-message "1 file changed")
    (with-current-buffer (find-buffer-visiting two)
      (should (equal "(ratio-of 1 2) ; quotient-of\n" (buffer-string))))
    (with-temp-buffer
      (insert-file-contents one)
      (should (looking-at-p "(quotient-of 1 2)")))
    (setq test-messages nil)
    (with-current-buffer (find-buffer-visiting two) (descartes-undo-restore))
    (test-see-message "the restore is undone")
    (with-temp-buffer
      (insert-file-contents two)
      (should (looking-at-p "(quotient-of 1 2)")))))

;;; The image looked at

(defun test-buffer-text (name)
  "Return the text of the buffer NAME, or nothing."
  (let ((buffer (get-buffer name)))
    (if buffer (with-current-buffer buffer (buffer-string)) "")))

(defun test-repl ()
  "A REPL: values, references to them, output, several lines, an error, a package."
  (save-window-excursion
    (descartes-repl)
    (let ((type (lambda (text) (goto-char (point-max)) (insert text) (descartes-repl-return)))
          (seen (lambda (text)
                  (test-see text (and (not descartes-repl--running) (string-match-p text (buffer-string)))))))
      (funcall type "(list 1")
      (funcall type "2)")
      (funcall seen "#v1 ⇒ (1 2)")
      (funcall type "(values (first *) (cons #v1 #v1))")
      (funcall seen "#v2 ⇒ 1\n#v2:1 ⇒ ((1 2) 1 2)")
      (funcall type "(progn (format t \"here ~a\" 7) (sleep 0.5) (format t \" and there~%\") :said)")
      (funcall seen "here 7 and there\n#v3 ⇒ :SAID")
      (funcall type "(in-package :keyword)")
      (funcall seen "^KEYWORD> ")
      (funcall type "(cl:in-package :cl-user)")
      (funcall seen "^CL-USER> \\'")
      (goto-char (point-max))
      (insert "(multiple-value-bi")
      (test-see "a completion" (member "multiple-value-bind" (nth 2 (descartes-repl-complete))))
      (comint-kill-input)
      (funcall type "(car 7)")
      (funcall seen "; stopped: ")
      (test-see "the debugger" (string-match-p "TYPE-ERROR" (test-debugger-text)))
      (test-in-debugger (goto-char (point-min)) (descartes-debugger-abort))
      (test-see "the end" (string-match-p "; aborted" (buffer-string)))
      (test-see "the debugger to close" (string-empty-p (test-debugger-text)))
      (comint-previous-input 1)
      (should (string-suffix-p "(car 7)" (buffer-string)))
      (comint-kill-input)
      (test-go-to "((1 2) 1 2)" 2)
      (call-interactively (key-binding (kbd "RET")))
      (test-see "the inspector" (string-match-p "0 = (1 2)" (test-buffer-text "*descartes-inspector*")))
      (kill-buffer "*descartes-inspector*"))))

(defun test-inspector ()
  "An object is looked into, changed, and left."
  (save-window-excursion
    (descartes-inspect "(let ((table (make-hash-table))) (setf (gethash :one table) (list 10 20)) table)")
    (with-current-buffer (test-see "the inspector" (get-buffer "*descartes-inspector*"))
      (test-see "its entry" (string-match-p ":ONE → (10 20)" (buffer-string)))
      (test-go-to ":ONE → ")
      (descartes-inspector-enter)
      (test-see "the list" (string-match-p "1 = 20" (buffer-string)))
      (test-go-to "1 = 20")
      (descartes-inspector-set "(* 6 7)")
      (test-see "the new element" (string-match-p "1 = 42" (buffer-string)))
      (descartes-inspector-eval "(reduce #'+ *)")
      (test-see "the sum" (string-match-p "52" (buffer-substring (point-min) (line-end-position))))
      (descartes-inspector-back)
      (test-see "the list again" (string-match-p "1 = 42" (buffer-string)))
      (kill-buffer))))

(defun test-explore ()
  "Expansion, description, threads, a trace as a tree."
  (save-window-excursion
    (descartes--expand '(:code "(when t (unless nil 1))") "1")
    (with-current-buffer (test-see "the expansion" (get-buffer "*descartes-expansion*"))
      (test-go-to "(unless")
      (descartes-expand-here)
      (test-see "the form inside" (not (string-match-p "unless" (buffer-string)))))
    (descartes-describe "mapcar")
    (test-see "the description" (string-match-p "MAPCAR" (test-buffer-text "*descartes-description*")))
    (descartes-threads)
    (test-see "the threads" (string-match-p "main thread" (test-buffer-text "*descartes-threads*")))
    (descartes-trace "shapes::area")
    (test-see-message "Traced: ")
    (descartes-eval "(shapes::area 6 7)")
    (test-see-message "⇒ 42")
    (descartes-trace-tree)
    (test-see "the call" (string-match-p "AREA 6 7) ⇒ 42" (test-buffer-text "*descartes-trace*")))
    (descartes-untrace-all)
    (test-see-message "Traced: nothing")))

(defun test-write (name text)
  "Write TEXT into the file NAME of the workspace."
  (with-temp-file (concat test-workspace name) (insert text)))

(defun test-tests ()
  "Tests of a system: a failure with its message, run again after a correction, and its place."
  (test-write "checks.asd" "(defsystem \"checks\" :depends-on (\"fiveam\") :components ((:file \"checks\")))")
  (test-write "checks.lisp" "(defpackage :checks (:use :cl :fiveam)) (in-package :checks)
(test adds (is (= 4 (+ 2 2))))
(test fails (is (= 5 (+ 2 2))))
")
  (save-window-excursion
    (descartes-test-list)
    (test-see "a test that was not run" (string-match-p "· checks::fails +not run yet"
                                                        (test-buffer-text "*descartes-test-list*")))
    (descartes-test-system "checks")
    (dolist (text '("failed +checks::fails" "passed +checks::adds" "1 passed · 1 failed"))
      (test-see text (string-match-p text (test-buffer-text "*descartes-tests*"))))
    (dolist (text '("✓ checks::adds.*ms" "✗ checks::fails +failed: " "checks  2 tests, 1 failed"))
      (test-see text (string-match-p text (test-buffer-text "*descartes-test-list*"))))
    (with-current-buffer "*descartes-tests*"
      (test-go-to "checks::fails")
      (descartes-tests-visit)
      (setq test-messages nil)
      (descartes-tests-failed-again)
      (test-see-message "Tests: 0 passed · 1 failed"))))

(provide 'harness)
;;; harness.el ends here
