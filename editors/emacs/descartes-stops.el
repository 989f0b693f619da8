;;; descartes-stops.el --- Stopped threads and the ways out of a stop -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; What is known of the stopped threads, and how one is left: by a restart and
;; its arguments, or by retrying with a form that was corrected.  The buffer
;; that shows them is `descartes-debugger'.

;;; Code:

(require 'descartes)

(defvar descartes-debuggers nil
  "The stops there are now, as the server sent them, the newest first.")

(defvar descartes-stops-functions nil
  "Functions called without arguments when `descartes-debuggers' has changed.")

(defun descartes-stops--newer-p (one other)
  "Return non-nil when the stop ONE is newer than OTHER.
Where the server does not say since when they are, a deeper level is."
  (let ((since (or (plist-get one :since) "")) (before (or (plist-get other :since) "")))
    (cond ((not (equal since before)) (string> since before))
          ((= (plist-get one :thread) (plist-get other :thread))
           (> (plist-get one :level) (plist-get other :level)))
          (t (> (plist-get one :thread) (plist-get other :thread))))))

(defun descartes-stops-set (stops)
  "Keep STOPS, all that there are now."
  (setq descartes-debuggers (seq-sort #'descartes-stops--newer-p stops))
  (run-hooks 'descartes-stops-functions))

(defun descartes-stops-key (stop)
  "Return the parameters that name STOP."
  (list :thread (plist-get stop :thread) :level (plist-get stop :level)))

(defun descartes-stops-find (params)
  "Return the stop that PARAMS name, or nil."
  (cl-find (descartes-stops-key params) descartes-debuggers :key #'descartes-stops-key :test #'equal))

(defun descartes-stops--title (stop)
  "Return a line for STOP, unlike those of others."
  (format "thread %s, level %s%s: %s" (plist-get stop :thread) (plist-get stop :level)
          (if-let ((who (plist-get (plist-get stop :origin) :name))) (concat ", " who) "")
          (car (split-string (plist-get (plist-get stop :condition) :message) "\n"))))

(defun descartes-stops--pick (stops)
  "Return the one of STOPS that the person means; the only one is not asked for."
  (if (cdr stops)
      (let ((titles (mapcar (lambda (each) (cons (descartes-stops--title each) each)) stops)))
        (cdr (assoc (completing-read "Which stopped thread: " titles nil t) titles)))
    (or (car stops) (user-error "No thread is stopped"))))

(defun descartes-stops-at-point ()
  "Return the stop that point is at; elsewhere the one that the person means.
Where the stop at point was left, no other takes its place."
  (let ((at (if (and (eobp) (not (bobp))) (1- (point)) (point))))
    (when (get-text-property at 'descartes-left)
      (user-error "The stop that was here is left; N goes to the next one"))
    (or (get-text-property at 'descartes-debugger)
        (descartes-stops--pick descartes-debuggers))))

(defun descartes-stops-left (result)
  "Show what an operation that left a stop has come to, RESULT."
  (when-let ((evaluation (plist-get result :evaluation)))
    (descartes-show-evaluation evaluation)))

(defun descartes-stops--leave (operation &rest more)
  "Ask for OPERATION on the stop at point, with MORE parameters."
  (descartes-call operation (append (descartes-stops-key (descartes-stops-at-point)) more)
                  #'descartes-stops-left))

;;; Restarts

(defun descartes-stops-asked (restart)
  "Return those arguments of RESTART that a person is asked for."
  (seq-filter (lambda (argument)
                (pcase (plist-get argument :kind)
                  ((or "required" "optional") t)
                  ("rest" (eq (plist-get restart :interactive) t))))
              (plist-get restart :arguments)))

(defun descartes-stops--proposal (argument locals)
  "Return the text proposed for ARGUMENT, and its value now if that is known.
It is the default of ARGUMENT, else the one of LOCALS, the variables of
the frame, that has its name."
  (let* ((name (plist-get argument :name))
         (local (cl-find (upcase name) locals :key (lambda (each) (upcase (plist-get each :name))) :test #'equal)))
    (cond ((plist-get argument :default) (list (plist-get argument :default)))
          (local (list (downcase name) (plist-get local :value))))))

(defun descartes-stops--read-argument (argument locals)
  "Return the Lisp texts that the person gives for ARGUMENT of a restart.
LOCALS are the variables of the frame, for what is proposed."
  (let ((name (downcase (plist-get argument :name))) (kind (plist-get argument :kind)))
    (if (equal kind "rest")
        (cl-loop for text = (read-string (format "%s (empty: no more): " name))
                 until (string-blank-p text) collect text)
      (pcase-let* ((`(,text ,now) (descartes-stops--proposal argument locals))
                   (notes (delq nil (list (when now (concat "now " now))
                                          (when (equal kind "optional") "empty: none"))))
                   (given (read-string (concat name (if notes (format " (%s)" (string-join notes "; ")) "") ": ")
                                       text)))
        (unless (and (string-blank-p given) (equal kind "optional"))
          (list given))))))

(defun descartes-stops--locals (stop)
  "Return the variables of the innermost frame of STOP."
  (append (plist-get (descartes-await "debugger.frame" (append (descartes-stops-key stop) '(:frame 0)) 20)
                     :locals)
          nil))

(defun descartes-stops--read-arguments (stop restart)
  "Return the texts that the person gives for the arguments of RESTART of STOP.
Behind an optional one that is left out there can be no other."
  (when-let ((asked (descartes-stops-asked restart)))
    (let ((locals (descartes-stops--locals stop)))
      (cl-loop for argument in asked
               for texts = (descartes-stops--read-argument argument locals)
               while texts append texts))))

(defun descartes-debugger-invoke (stop restart)
  "Invoke RESTART of STOP, after asking for its arguments."
  (let ((arguments (descartes-stops--read-arguments stop restart)))
    (descartes-call "debugger.restart"
                    (append (descartes-stops-key stop)
                            (list :index (plist-get restart :index) :name (plist-get restart :name))
                            (when arguments (list :arguments (vconcat arguments))))
                    #'descartes-stops-left)))

(defun descartes-stops--restart (stop index)
  "Return the restart of STOP with the number INDEX, or nil."
  (cl-find index (append (plist-get stop :restarts) nil) :key (lambda (each) (plist-get each :index))))

(defun descartes-debugger-invoke-with (params)
  "Invoke what PARAMS of debugger.restart name.
The arguments that it needs and PARAMS lack are asked for."
  (let* ((stop (descartes-stops-find params))
         (restart (descartes-stops--restart stop (plist-get params :index))))
    (if (and restart (not (plist-get params :arguments)))
        (descartes-debugger-invoke stop restart)
      (descartes-call "debugger.restart" params #'descartes-stops-left))))

(defun descartes-debugger-invoke-number (number)
  "Invoke the restart NUMBER of the stop at point."
  (let ((stop (descartes-stops-at-point)))
    (descartes-debugger-invoke stop (or (descartes-stops--restart stop number)
                                        (user-error "There is no restart %d" number)))))

(defun descartes-debugger-invoke-name ()
  "Invoke a restart of the stop at point, chosen by its name."
  (interactive)
  (let* ((stop (descartes-stops-at-point))
         (titles (mapcar (lambda (each)
                           (cons (format "%s  %s" (plist-get each :name) (plist-get each :description)) each))
                         (plist-get stop :restarts))))
    (descartes-debugger-invoke stop (cdr (assoc (completing-read "Restart: " titles nil t) titles)))))

(defun descartes-debugger-abort ()
  "Leave the stop for the level above it."
  (interactive)
  (descartes-stops--leave "debugger.abort"))

(defun descartes-debugger-continue ()
  "Go on after the stop."
  (interactive)
  (descartes-stops--leave "debugger.continue"))

(defun descartes-debugger-quit ()
  "Leave every level; without a stop, close the window."
  (interactive)
  (if descartes-debuggers
      (descartes-stops--leave "debugger.toplevel")
    (quit-window)))

;;; Retry with fix

(defun descartes-stops--form-lines ()
  "Return the first and the last line, from 0, of the top-level form at point."
  (save-excursion
    (save-restriction
      (widen)
      (end-of-line)
      (beginning-of-defun)
      (let ((first (line-number-at-pos)))
        (condition-case nil (forward-sexp) (scan-error (goto-char (point-max))))
        (list (1- first) (1- (line-number-at-pos)))))))

(defun descartes-stops--in-p (stop uri first last)
  "Return non-nil if STOP has a frame in the lines FIRST to LAST of URI."
  (seq-some (lambda (location)
              (and location
                   (equal (url-unhex-string (plist-get location :uri)) (url-unhex-string uri))
                   (<= first (plist-get (plist-get (plist-get location :range) :start) :line) last)))
            (cons (plist-get stop :location)
                  (mapcar (lambda (each) (plist-get each :location)) (plist-get stop :frames)))))

(defun descartes-stops--here (uri)
  "Return the stop with a frame in the form at point, of the file URI.
When there are several, and when none is known, the person is asked."
  (pcase-let* ((`(,first ,last) (descartes-stops--form-lines))
               (fitting (seq-filter (lambda (stop) (descartes-stops--in-p stop uri first last))
                                    descartes-debuggers)))
    (descartes-stops--pick (or fitting descartes-debuggers))))

(defun descartes-stops--retried (result)
  "Show what retrying has come to, RESULT."
  (if (eq (plist-get result :success) t)
      (descartes-stops-left result)
    (descartes--show-compilation (plist-get result :compilation))))

(defun descartes-retry-with-fix ()
  "Compile the form at point as it is now, and call its stopped frame again.
When it does not compile, the thread stays stopped."
  (interactive)
  (let ((here (descartes--here)))
    (descartes-call "debugger.retryWithFix"
                    (append (descartes-stops-key (descartes-stops--here (plist-get here :uri))) here)
                    #'descartes-stops--retried)))

(define-key descartes-mode-map (kbd "C-c C-f") #'descartes-retry-with-fix)

(provide 'descartes-stops)
;;; descartes-stops.el ends here
