;;; commands-session.el --- The commands that a day with Lisp needs now and then -*- lexical-binding: t -*-

;;; Code:

(require 'harness)
(require 'stops)

(setq eglot-sync-connect 20 eglot-confirm-server-initiated-edits nil)

(defconst test-steps "(defpackage :steps (:use :cl))
(in-package :steps)

(defun inner (n)
  (* n 2))

(defun outer (n)
  (let* ((a (inner n))
         (b (inner (1+ n))))
    (+ a b)))

(defun deep (n)
  (if (zerop n) (error \"At the bottom\") (1+ (deep (1- n)))))

(defun spare (x)
  (restart-case (list :done (inner (the fixnum x)) (error \"Nothing is left of ~a\" x))
    (use-other (x &optional (note :spare))
      :report \"Use something else.\"
      (list x note))))
")

(defun test-shown (text)
  "Wait until the debugger shows TEXT, a regular expression."
  (test-see text (string-match-p text (test-debugger-text))))

(defun test-closed ()
  "Wait until nothing is stopped any more."
  (test-see "the debugger to close" (string-empty-p (test-debugger-text))))

(defun test-evaluate (code seen)
  "Evaluate CODE and wait until SEEN is shown as a message."
  (setq test-messages nil)
  (descartes-eval code)
  (test-see-message seen))

(defun test-commands-start ()
  "The file is loaded into the image."
  (test-write "steps.lisp" test-steps)
  (test-open "steps.lisp")
  (setq test-messages nil)
  (descartes-load-file)
  (test-see-message "⇒ compiled"))

(defun test-conditional-breakpoint ()
  "A breakpoint stops where its condition is true; a frame is compiled again; steps lead through it."
  (setq test-messages nil)
  (descartes-break "steps::outer" "(> n 3)")
  (test-see-message "Stops at calls of steps::outer, when (> n 3)")
  (test-evaluate "(steps::outer 1)" "⇒ 6")
  (descartes-eval "(steps::outer 5)")
  (test-shown "STEPS::OUTER 5")
  (test-in-debugger
    (test-go-to "STEPS::OUTER 5" -2)
    (setq test-messages nil)
    (test-press "D")
    (test-see-message "⇒ compiled")
    (test-press "a"))
  (test-closed)
  (descartes-eval "(steps::outer 5)")
  (test-shown "STEPS::OUTER 5")
  (test-in-debugger
    (let ((panel (selected-window)))
      (test-go-to "STEPS::OUTER 5" -2)
      (test-press "t")
      (test-shown "^      n = 5$")
      (goto-char (point-min))
      (test-press "s")
      (test-shown "Next: (INNER N)")
      ;; The panel stays where it is, so that the next key steps on.
      (should (eq panel (selected-window)))
      (should (eq (window-buffer) (get-buffer descartes-debugger-buffer)))
      (test-press "x")
      (test-shown "Done: (INNER N) => 10")
      ;; A frame that is looked into is shown at each step as it is then.
      (test-press "x")
      (test-shown "Next: (INNER (1\\+ N))")
      (test-shown "^      a = 10$")
      (setq test-messages nil)
      (test-press "o")
      (test-see-message "⇒ 22")))
  (test-closed)
  (setq test-messages nil)
  (test-answering ("STEPS::OUTER when (> n 3) (") (descartes-clear-breakpoint))
  (test-see-message "is gone")
  (test-evaluate "(steps::outer 5)" "⇒ 22"))

(defun test-break-here ()
  "A breakpoint at a form stops there, until it is taken away."
  (test-go-to "(inner (1+ n))")
  (setq test-messages nil)
  (descartes-break-here)
  (test-see-message "Stops here")
  (descartes-eval "(steps::outer 2)")
  (test-shown "INNER (1\\+ N)")
  (test-in-debugger (setq test-messages nil) (goto-char (point-min)) (test-press "c"))
  (test-see-message "⇒ 10")
  (test-closed)
  (setq test-messages nil)
  (test-answering ("steps.lisp:9 (1 hits)") (descartes-clear-breakpoint))
  (test-see-message "The breakpoint at steps.lisp:9 (1 hits) is gone")
  (test-evaluate "(steps::outer 2)" "⇒ 10"))

(defun test-signals ()
  "A warning stops where it is signalled, until that is ended."
  (setq test-messages nil)
  (descartes-break-on-signals "warning")
  (test-see-message "Stops on warning")
  (descartes-eval "(handler-case (warn \"Careful\") (warning () :handled))")
  (test-shown "Careful")
  (test-in-debugger (setq test-messages nil) (goto-char (point-min)) (test-press "c"))
  (test-see-message "⇒ :HANDLED")
  (test-closed)
  (setq test-messages nil)
  (descartes-break-on-signals "")
  (test-see-message "Stops on errors alone")
  (test-evaluate "(handler-case (warn \"Careful\") (warning () :handled))" "⇒ :HANDLED"))

(defun test-frames ()
  "More frames; a value returned from one; one called again with other arguments."
  (descartes-eval "(steps::deep 70)")
  (test-shown "more (m)")
  (test-in-debugger
    (test-go-to "At the bottom")
    (should-not (string-match-p "DEEP 60)" (buffer-string)))
    (test-press "m")
    (test-shown "DEEP 60)")
    (should (looking-at-p "At the bottom"))
    (test-press "M-n")
    (test-see "variables" (string-match-p "^      n = " (buffer-string)))
    (test-press "M-n")
    (test-see "the variables of the next frame alone"
              (= 1 (with-temp-buffer (insert (test-debugger-text)) (how-many "^      n = " (point-min)))))
    (test-go-to "(DEEP 3)")
    (setq test-messages nil)
    (descartes-debugger-return-from-frame "100"))
  (test-see-message "⇒ 167")
  (test-closed)
  (descartes-eval "(steps::deep 3)")
  (test-shown "At the bottom")
  (test-in-debugger
    (test-go-to "(DEEP 3)")
    (test-answering ("(+ 2 3)")
      (descartes-debugger-restart-frame t))
    (should (equal "3" (car test-proposed))))
  (test-shown "(DEEP 5)")
  (test-in-debugger (goto-char (point-min)) (test-press "q"))
  (test-closed))

(defun test-restart-arguments ()
  "What is proposed: a variable of the frame with the argument's name, the default of one that may be left out."
  (descartes-eval "(steps::spare 7)")
  (test-shown "use-other\\|USE-OTHER (x \\[note\\])")
  (test-in-debugger
    (test-go-to "USE-OTHER")
    (setq test-messages nil test-prompts nil test-proposed nil)
    (test-answering ("(1+ x)" ":because") (test-press "RET")))
  (test-see-message "⇒ (8 :BECAUSE)")
  (should (equal '("x (now 7): " "note (empty: none): ") (reverse test-prompts)))
  (should (equal '("x" ":spare") (reverse test-proposed)))
  (test-closed))

(defun test-console ()
  "A console in a frame, until the frame is left; the condition; a value in full."
  (descartes-eval "(steps::spare 7)")
  (test-shown "Nothing is left")
  (test-in-debugger
    (test-go-to "SPARE 7")
    (test-press "C")
    (with-current-buffer (test-see "the condition" (get-buffer "*descartes-inspector*"))
      (test-see "its slots" (string-match-p "FORMAT-CONTROL" (buffer-string)))
      (kill-buffer)))
  (test-in-debugger
    (test-go-to "SPARE 7")
    (descartes-debugger-print-in-frame "(loop repeat 40 collect (list x \"a \\\"b\\\"\"))")
    (test-see "the value in full" (= 40 (with-temp-buffer (insert (test-buffer-text "*descartes-value*"))
                                                          (how-many "(7 \"a \\\\\"b\\\\\"\")" (point-min))))))
  (save-window-excursion
    (select-window (get-buffer-window descartes-debugger-buffer))
    (test-go-to "SPARE 7")
    (descartes-debugger-console)
    (let ((type (lambda (text) (goto-char (point-max)) (insert text) (descartes-repl-return))))
      (test-see "the frame" (string-match-p "; in (SPARE 7)\n; variables: x" (buffer-string)))
      (funcall type "(progn (princ \"seen\") (* x")
      (funcall type "6))")
      (test-see "the value" (string-match-p "seen\n⇒ 42\n\\[[0-9]+\\]> \\'" (buffer-string)))
      (funcall type "(error \"inside\")")
      (test-see "the stop" (string-match-p "; stopped: inside" (buffer-string)))
      (test-see "the deeper level" (= 2 (length descartes-debuggers)))
      (with-current-buffer descartes-debugger-buffer (goto-char (point-min)) (test-press "a"))
      (test-see "the deeper level to be left" (= 1 (length descartes-debuggers)))
      (test-see "the console to be free" (not descartes-repl--running))
      (funcall type "(list x)")
      (test-see "the frame still" (string-match-p "⇒ (7)" (buffer-string)))
      (with-current-buffer descartes-debugger-buffer (goto-char (point-min)) (test-press "a"))
      (test-see "the end" (string-match-p "; the frame was left" (buffer-string)))
      (should-error (funcall type "x"))
      (kill-buffer)))
  (test-closed))

(defun test-drift ()
  "What was changed in the buffer is shown and loaded; saving would load it by itself."
  (test-go-to "(* n 2)")
  (delete-region (point) (progn (forward-sexp) (point)))
  (insert "(* n 3)")
  (save-window-excursion
    (descartes-drift)
    (test-see "what differs" (string-match-p "changed +inner" (test-buffer-text "*descartes-drift*"))))
  (setq test-messages nil)
  (descartes-load-changed)
  (test-see-message "⇒ loaded what had changed")
  (test-evaluate "(steps::inner 5)" "⇒ 15")
  (setq test-messages nil)
  (descartes-drift)
  (test-see-message "The image has everything")
  (save-buffer))

(defun test-systems ()
  "A system is compiled, loaded and loaded again."
  (test-write "beads.asd" "(defsystem \"beads\" :components ((:file \"beads\")))")
  (test-write "beads.lisp" "(defpackage :beads (:use :cl)) (in-package :beads)\n(defun bead () 1)\n")
  (dolist (command (list #'descartes-compile-system #'descartes-load-system))
    (setq test-messages nil)
    (funcall command "beads")
    (test-see-message "⇒ compiled"))
  (test-evaluate "(beads::bead)" "⇒ 1")
  (test-write "beads.lisp" "(defpackage :beads (:use :cl)) (in-package :beads)\n(defun bead () 2)\n")
  ;; Files are told apart by seconds.
  (set-file-times (concat test-workspace "beads.lisp") (time-add nil 5))
  (setq test-messages nil)
  (descartes-reload-system "beads")
  (test-see-message "⇒ compiled")
  (test-evaluate "(beads::bead)" "⇒ 2"))

(defun test-profile ()
  "A profile of a form, and of all that is done between start and stop."
  (let ((code "(loop with end = (+ (get-internal-run-time) (/ internal-time-units-per-second 3))
                     until (> (get-internal-run-time) end) do (loop for i below 2000 sum (sqrt i)))"))
    (save-window-excursion
      (descartes-profile code)
      (test-see "the graph" (string-match-p "%.*█" (test-buffer-text "*descartes-profile*")))
      (with-current-buffer "*descartes-profile*"
        (should (looking-at-p "cpu: [0-9]+ samples"))
        (call-interactively (key-binding "f")))
      (test-see "the functions" (get-buffer "*descartes-functions*"))
      (kill-buffer "*descartes-profile*")
      (setq test-messages nil)
      (descartes-profile-start)
      (test-see-message "Profiling")
      (test-evaluate code "⇒ NIL")
      (descartes-profile-stop)
      (test-see "the second graph" (string-match-p "%.*█" (test-buffer-text "*descartes-profile*"))))))

(defun test-callers ()
  "Who calls a function is listed, and gone to."
  (save-window-excursion
    (descartes-who-calls "steps::inner")
    (test-see "a caller" (string-match-p "steps.lisp" (test-buffer-text "*descartes-xref*")))
    (with-current-buffer "*descartes-xref*"
      (test-go-to "steps.lisp")
      (call-interactively (key-binding (kbd "RET"))))
    (should (get-buffer-window "steps.lisp"))))

(defun test-journal ()
  "All that was done is listed, compared with a fresh image, and repeated in one, with what was left out."
  (save-window-excursion
    (descartes-journal)
    (test-see "what was evaluated" (string-match-p "eval +done +(beads::bead)" (test-buffer-text "*descartes-journal*")))
    (with-current-buffer "*descartes-journal*"
      (test-go-to "(beads::bead)")
      (call-interactively (key-binding (kbd "RET")))
      (should (string-match-p "(beads::bead)" (test-buffer-text "*descartes-journal-entry*"))))
    (test-evaluate "(defun cl-user::unlike () (random 10))" "⇒ ")
    (setq test-messages nil)
    (descartes-replay)
    (test-see-message "Repeated ")
    (test-see "what was not repeated, and why"
              (string-match-p "it was aborted: " (test-buffer-text "*descartes-replay*"))))
  (test-evaluate "(steps::outer 5)" "⇒ 33"))

(defun test-elsewhere ()
  "An image elsewhere is compared with this one, attached to, and let go of."
  (let ((place (concat "127.0.0.1:" (getenv "EDITOR_TEST_SWANK"))))
    (save-window-excursion
      (descartes-compare place)
      (test-see "what is only here" (string-match-p ";;; function STEPS::INNER\n;; here\n"
                                                    (test-buffer-text "*descartes-comparison*"))))
    (should-error (descartes-connect "nowhere") :type 'user-error)
    (should-error (descartes-disconnect) :type 'user-error)
    (setq test-messages nil)
    (cl-letf (((symbol-function 'yes-or-no-p) (lambda (_) t)))
      (descartes-connect place))
    (test-see-message "Lisp: ready")
    (test-evaluate "(find-package :steps)" "⇒ NIL")
    (setq test-messages nil)
    (descartes-disconnect)
    (test-see-message "Lisp: stopped")))

(ert-deftest debugging ()
  (test-commands-start)
  (test-conditional-breakpoint)
  (test-break-here)
  (test-signals)
  (test-frames)
  (test-restart-arguments)
  (test-console))

(ert-deftest the-image ()
  (find-file (concat test-workspace "steps.lisp"))
  (test-callers)
  (test-drift)
  (test-systems)
  (test-profile)
  (test-journal)
  (test-elsewhere)
  ;; Else Emacs would end in the middle of an answer.
  (eglot-shutdown (descartes-connection)))

(provide 'commands-session)
;;; commands-session.el ends here
