;;; slime.el --- What SLIME's calls take in this Emacs -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Run in batch by slime.py with the port of a Swank server and a Lisp file.
;; Every call is the one that SLIME's own command makes, timed from asking to
;; the answer's arrival; drawing is in none.  Prints one JSON object:
;; milliseconds by name.

;;; Code:

(require 'slime)
(require 'json)

(defvar slime-event-hooks)

(setq slime-contribs '(slime-repl slime-fuzzy slime-autodoc) slime-auto-select-connection 'always
      slime-net-coding-system 'utf-8-unix sldb-show-catch-tags nil)
(slime-setup)

(defun bench-until (found)
  "Wait until FOUND returns non-nil, at most 20 seconds."
  (let ((end (+ (float-time) 20)))
    (while (not (funcall found))
      (when (> (float-time) end) (error "SLIME does not answer"))
      (accept-process-output nil 0.1))))

(defun bench-times (count act)
  "Return the milliseconds of ACT, COUNT times."
  (funcall act)
  (vconcat (cl-loop repeat count
                    collect (let ((began (float-time)))
                              (funcall act)
                              (* 1000 (- (float-time) began))))))

(defun bench-call (form &optional thread)
  "Return a function that asks for the value of FORM on THREAD."
  (lambda () (let ((slime-current-thread (or thread t))) (slime-eval form "COMMON-LISP-USER"))))

(defun bench-restart (code)
  "Return the milliseconds from choosing the first restart of CODE to its end."
  (let (done stopped)
    (let ((slime-event-hooks
           (list (lambda (event)
                   (pcase event
                     (`(:debug-activate ,thread ,level . ,_) (setq stopped (list thread level)) nil))))))
      (slime-rex () ((list 'swank-repl:listener-eval (concat code "\n")) "COMMON-LISP-USER" :repl-thread)
        ((:ok _) (setq done t))
        ((:abort _) (setq done 'aborted)))
      (bench-until (lambda () stopped)))
    (let ((began (float-time)))
      (slime-rex () ((list 'swank:invoke-nth-restart-for-emacs (cadr stopped) 0) "COMMON-LISP-USER"
                     (car stopped))
        ((:ok _)) ((:abort _)))
      (bench-until (lambda () done))
      (* 1000 (- (float-time) began)))))

(defun bench (port file forms stopping count)
  "Print what FORMS, an alist of names, threads and Swank calls, take on PORT.
FILE is loaded first; STOPPING is code that stops.  COUNT times each."
  (slime-connect "127.0.0.1" port)
  (bench-until (lambda () (and (slime-connected-p) (slime-connection-name)
                               (ignore-errors (slime-eval '(swank-repl:clear-repl-variables)) t))))
  (slime-eval '(swank:swank-require '(swank-arglists swank-fuzzy)))
  (slime-eval `(swank:load-file ,file))
  (let ((times (cl-loop for (name thread form) in forms
                        collect (cons name (bench-times count (bench-call form thread))))))
    (bench-restart stopping)
    (push (cons "restart" (vconcat (cl-loop repeat count collect (bench-restart stopping)))) times)
    (princ (concat "\nTIMES " (json-encode times) "\n"))))

(provide 'slime-bench)
;;; slime.el ends here
