;;; descartes-breakpoints.el --- What stops a thread -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Breakpoints at functions and at forms, on a condition if that is wished, and
;; stopping where a condition is signalled.

;;; Code:

(require 'descartes)
(require 'descartes-debugger)

(declare-function descartes--read-symbol "descartes-explore")
(declare-function descartes--of-symbol "descartes-explore")

(defun descartes-breakpoints--read-condition ()
  "Return the condition of a breakpoint, where the person gave a prefix argument."
  (when current-prefix-arg
    (read-string "Stop only when this is true (empty: always): ")))

(defun descartes-breakpoints--set (place condition said)
  "Set a breakpoint at PLACE, parameters, with CONDITION unless it is empty.
Then say SAID."
  (let ((condition (and condition (not (string-blank-p condition)) condition)))
    (descartes-call "debugger.breakpoints.set"
                    (append place (when condition (list :condition condition)))
                    (lambda (breakpoint)
                      (message "%s%s" (or (plist-get breakpoint :message) said)
                               (if condition (concat ", when " condition) ""))))))

(defun descartes-break (symbol &optional condition)
  "Stop at every call of the function SYMBOL, or only where CONDITION is true.
With a prefix argument the condition is asked for; the function's
variables are visible in it."
  (interactive (append (descartes--read-symbol "Stop at calls of")
                       (list (descartes-breakpoints--read-condition))))
  (descartes-breakpoints--set (descartes--of-symbol symbol) condition (format "Stops at calls of %s" symbol)))

(defun descartes-break-here (&optional condition)
  "Stop at the form at point, or only where CONDITION is true.
With a prefix argument the condition is asked for; the variables around
the form are visible in it."
  (interactive (list (descartes-breakpoints--read-condition)))
  (descartes-breakpoints--set (descartes--here) condition "Stops here"))

(defun descartes-breakpoints--title (breakpoint)
  "Return a line for BREAKPOINT, unlike those of others."
  (let ((line (plist-get (plist-get (plist-get breakpoint :range) :start) :line))
        (uri (plist-get breakpoint :uri))
        (condition (plist-get breakpoint :condition)))
    (concat (or (plist-get breakpoint :symbol)
                (concat (file-name-nondirectory uri) (if line (format ":%d" (1+ line)) "")))
            (if condition (concat " when " condition) "")
            (format " (%d hits)" (plist-get breakpoint :hits)))))

(defun descartes-clear-breakpoint ()
  "Take a breakpoint away, after asking which."
  (interactive)
  (let ((titles (mapcar (lambda (each) (cons (descartes-breakpoints--title each) each))
                        (plist-get (descartes-await "debugger.breakpoints.list" nil 20) :breakpoints))))
    (unless titles
      (user-error "There is no breakpoint"))
    (let ((title (completing-read "Take away the breakpoint: " titles nil t)))
      (descartes-call "debugger.breakpoints.clear" (list :id (plist-get (cdr (assoc title titles)) :id))
                      (lambda (_) (message "The breakpoint at %s is gone" title))))))

(defun descartes-break-on-signals (type)
  "Stop whenever a condition of TYPE is signalled; an empty line ends that."
  (interactive (list (read-string "Stop on signals of the type (empty: off): ")))
  (descartes-call "debugger.breakOnSignals" (unless (string-blank-p type) (list :type type))
                  (lambda (answer)
                    (message "Stops on %s" (or (plist-get answer :type) "errors alone")))))

(define-key descartes-debugger-mode-map "S" #'descartes-break-on-signals)
(define-key descartes-mode-map (kbd "C-c M-b") #'descartes-break)
(define-key descartes-mode-map (kbd "C-c B") #'descartes-break-here)

(provide 'descartes-breakpoints)
;;; descartes-breakpoints.el ends here
