;;; stops.el --- Steps of a session that are about stopped threads -*- lexical-binding: t -*-

;;; Code:

(require 'harness)

(defun test-press (keys)
  "Press KEYS in the debugger's window, at point."
  (with-current-buffer descartes-debugger-buffer
    (let ((command (key-binding (kbd keys))))
      (setq this-command command)
      (call-interactively command)
      (run-hooks 'post-command-hook))))

(defun test-condition (stop)
  "Return the message of the condition of STOP."
  (plist-get (plist-get stop :condition) :message))

(defun test-stop-here ()
  "Return the condition of the stop at point in the debugger."
  (test-condition (get-text-property (point) 'descartes-debugger)))

(defun test-two-stops ()
  "Point stays at its stop whatever else stops or goes on, and keys act on that stop alone."
  (test-stop-in-background "ALPHA")
  (test-in-debugger
    (test-go-to "ALPHA" 3)
    (let* ((line (buffer-substring (line-beginning-position) (line-end-position)))
           (column (current-column)))
      (test-stop-in-background "BETA")
      (should (equal line (buffer-substring (line-beginning-position) (line-end-position))))
      (should (= column (current-column)))
      (should (= (point) (window-point))))
    (test-go-to "Leave it")
    (goto-char (point-min))
    (should (equal (test-stop-here) "BETA is in the way"))
    ;; From the second frame of the older one.
    (test-press "N")
    (should (equal (test-stop-here) "ALPHA is in the way"))
    (test-press "n")
    (test-press "n")
    (should (looking-at-p " *1 "))
    (test-press "t")
    (test-see "its variables" (get-text-property (1+ (line-end-position)) 'descartes-frame))
    (should (looking-at-p " *1 "))
    ;; A third one goes on by itself while point is in the older one, then that one too.
    (test-stop-in-background "GAMMA")
    (should (looking-at-p " *1 "))
    (should (equal (test-stop-here) "ALPHA is in the way"))
    (let ((alpha (descartes-stops-at-point)))
      (test-press "a")
      (test-see "ALPHA to go on" (not (string-match-p "ALPHA" (test-debugger-text))))
      (should (= 2 (length descartes-debuggers)))
      (should (looking-at-p (format "Thread %s is not stopped any more" (plist-get alpha :thread)))))
    ;; The key that was meant for it acts on nobody else.
    (should-error (test-press "a") :type 'user-error)
    (should (= 2 (length descartes-debuggers)))
    (test-press "N")
    (should-not (string-match-p "is not stopped" (with-current-buffer (descartes-debugger--render) (buffer-string))))
    (test-answering ("GAMMA") (test-press "I"))
    (test-see "GAMMA to go on" (not (string-match-p "GAMMA" (test-debugger-text))))
    (test-press "N")
    (should (equal (test-stop-here) "BETA is in the way"))
    (test-press "a")
    (test-see "the debugger to close" (string-empty-p (test-debugger-text))))
  ;; Whoever waits there sees the stop from its beginning.
  (save-window-excursion
    (descartes-debugger-show)
    (test-stop-in-background "EPSILON")
    (should (bobp))
    (test-press "a")
    (test-see "EPSILON to go on" (null descartes-debuggers))
    (test-see "the debugger to close" (string-empty-p (test-debugger-text)))))

(defun test-which-to-retry ()
  "Where several threads have a frame in the form at point, and only then, it is asked which is meant."
  (let ((uri (plist-get (descartes--here) :uri)))
    (setq test-prompts nil)
    (should (string-match-p "DIVISION" (test-condition (descartes-stops--here uri))))
    (descartes-eval "(progn (sb-thread:make-thread #'average :arguments '(nil)) nil)")
    (test-see "a third stop" (= 3 (length descartes-debuggers)))
    (let* ((newest (car descartes-debuggers)) offered)
      (cl-letf (((symbol-function 'completing-read)
                 (lambda (_prompt titles &rest _) (setq offered (mapcar #'car titles)) (car offered))))
        (should (equal newest (descartes-stops--here uri))))
      (should (= 2 (length offered)))
      (should-not (cl-find "DELTA" offered :test #'string-search))
      (descartes-call "debugger.toplevel" (descartes-stops-key newest))
      (test-see "it to go on" (= 2 (length descartes-debuggers))))))

(defun test-retry-with-fix ()
  "A stopped form is corrected in its file, and its frame called again; then a breakpoint and steps."
  (test-go-to "(length numbers)")
  (setq test-messages nil)
  (descartes-eval "(average '())")
  (test-see "the stop" (string-match-p "USE-VALUE" (test-debugger-text)))
  (test-stop-in-background "DELTA")
  (test-which-to-retry)
  (delete-region (point) (progn (forward-sexp) (point)))
  (save-excursion (insert "(max . 1)"))
  (setq test-messages nil)
  (descartes-retry-with-fix)
  (test-see-message "⇒ failed")
  (should (= 2 (length descartes-debuggers)))
  (delete-region (point) (progn (forward-sexp) (point)))
  (insert "(max 1 (length numbers))")
  ;; The stop with a frame in this form, though it is not the newest.
  (descartes-retry-with-fix)
  (test-see-message "⇒ 0")
  (test-see "DELTA alone" (equal '("DELTA is in the way") (mapcar #'test-condition descartes-debuggers)))
  (test-in-debugger (goto-char (point-min)) (descartes-debugger-abort))
  (test-see "the debugger to close" (string-empty-p (test-debugger-text)))
  (descartes-break "shapes::average")
  (test-see-message "Stops at calls of")
  (descartes-eval "(average '(1 2))")
  (test-see "the breakpoint" (string-match-p "breakpoint" (downcase (test-debugger-text))))
  (test-answering ("shapes::average") (ignore-errors (descartes-clear-breakpoint)))
  (setq test-messages nil)
  (test-in-debugger (goto-char (point-min)) (descartes-debugger-continue))
  (test-see-message "⇒ 3/2"))

(provide 'stops)
;;; stops.el ends here
