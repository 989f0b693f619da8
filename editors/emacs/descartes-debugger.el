;;; descartes-debugger.el --- The debugger's buffer -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; One buffer for all stopped threads, with SLDB's keys.  It is displayed
;; without being selected; nothing but a key or button in it invokes a restart.

;;; Code:

(require 'descartes)
(require 'seq)

(defface descartes-condition '((t :inherit error)) "The condition of a stop." :group 'descartes)
(defface descartes-heading '((t :inherit bold)) "A heading of the debugger." :group 'descartes)
(defface descartes-restart '((t :inherit link :underline nil)) "A restart." :group 'descartes)
(defface descartes-frame-restartable '((t)) "A frame that can be restarted." :group 'descartes)
(defface descartes-frame '((t :inherit shadow)) "A frame that cannot be restarted." :group 'descartes)

(defvar descartes-debuggers nil
  "The stops there are now, as the server sent them.")

(defvar descartes-debugger--locals (make-hash-table :test #'equal)
  "The variables shown, by (thread level frame).")

(defconst descartes-debugger-buffer "*descartes-debugger*")

(defvar descartes-debugger-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map (kbd "<backtab>") #'backward-button)
    (define-key map "t" #'descartes-debugger-toggle-locals)
    (define-key map "v" #'descartes-debugger-show-source)
    (define-key map "e" #'descartes-debugger-eval-in-frame)
    (define-key map "r" #'descartes-debugger-restart-frame)
    (define-key map "R" #'descartes-debugger-return-from-frame)
    (define-key map "a" #'descartes-debugger-abort)
    (define-key map "q" #'descartes-debugger-quit)
    (define-key map "c" #'descartes-debugger-continue)
    (dotimes (number 10)
      (define-key map (number-to-string number)
        (lambda () (interactive) (descartes-debugger-invoke-number number))))
    map)
  "Keys of the debugger, those of SLDB.")

(define-derived-mode descartes-debugger-mode special-mode "Debugger"
  "The stopped threads of the image, their restarts and frames."
  (setq truncate-lines t))

(defun descartes-debugger--stop (stop)
  "Return the parameters that name STOP."
  (list :thread (plist-get stop :thread) :level (plist-get stop :level)))

(defun descartes-debugger--at (property)
  "Return the text property PROPERTY at point, or at the nearest place before it."
  (or (get-text-property (point) property)
      (let ((before (previous-single-property-change (point) property)))
        (and before (get-text-property (max (1- before) (point-min)) property)))))

(defun descartes-debugger--debugger ()
  "Return the stop at point; the first one when point is before all."
  (or (descartes-debugger--at 'descartes-debugger) (car descartes-debuggers)
      (user-error "No thread is stopped")))

(defun descartes-debugger--frame ()
  "Return the frame at point."
  (or (get-text-property (point) 'descartes-frame) (user-error "No frame here")))

(defun descartes-debugger--key (stop frame)
  "Return what names FRAME of STOP among the shown variables."
  (list (plist-get stop :thread) (plist-get stop :level) (plist-get frame :index)))

;;; Showing

(defun descartes-debugger--insert (text face &rest properties)
  "Insert TEXT in FACE as a line with PROPERTIES."
  (insert (apply #'propertize text 'face face properties) "\n"))

(defun descartes-debugger--parameters (restart)
  "Return how the arguments of RESTART are shown, such as \" (value)\"."
  (let ((names (mapcar (lambda (each) (downcase (plist-get each :name))) (plist-get restart :arguments))))
    (if names (format " (%s)" (string-join names " ")) "")))

(defun descartes-debugger--insert-restart (stop restart)
  "Insert RESTART of STOP as a button."
  (insert (format "%2d  " (plist-get restart :index)))
  (insert-text-button
   (concat (plist-get restart :name) (descartes-debugger--parameters restart))
   'face 'descartes-restart 'follow-link t
   'help-echo (plist-get restart :description)
   'action (lambda (_) (descartes-debugger-invoke stop restart)))
  (insert "  " (plist-get restart :description) "\n"))

(defun descartes-debugger--insert-frame (stop frame)
  "Insert FRAME of STOP and its variables, if they are shown."
  (descartes-debugger--insert
   (format "%2d  %s" (plist-get frame :index) (plist-get frame :description))
   (if (eq (plist-get frame :restartable) t) 'descartes-frame-restartable 'descartes-frame)
   'descartes-frame frame)
  (seq-doseq (each (gethash (descartes-debugger--key stop frame) descartes-debugger--locals))
    (descartes-debugger--insert
     (format "      %s = %s" (downcase (plist-get each :name)) (plist-get each :value))
     'font-lock-variable-name-face 'descartes-frame frame)))

(defun descartes-debugger--insert-debugger (stop)
  "Insert everything about STOP."
  (let ((start (point)) (condition (plist-get stop :condition)))
    (descartes-debugger--insert (plist-get condition :message) 'descartes-condition)
    (descartes-debugger--insert
     (format "[%s]  thread %s, level %s" (plist-get condition :type)
             (plist-get stop :thread) (plist-get stop :level))
     'shadow)
    (descartes-debugger--insert "\nRestarts" 'descartes-heading)
    (seq-doseq (each (plist-get stop :restarts))
      (descartes-debugger--insert-restart stop each))
    (descartes-debugger--insert (format "\nFrames (%d)" (plist-get stop :frameCount)) 'descartes-heading)
    (seq-doseq (each (plist-get stop :frames))
      (descartes-debugger--insert-frame stop each))
    (insert "\n")
    (add-text-properties start (point) (list 'descartes-debugger stop))))

(defun descartes-debugger--render ()
  "Write the stops into their buffer; returns it."
  (with-current-buffer (get-buffer-create descartes-debugger-buffer)
    (unless (derived-mode-p 'descartes-debugger-mode)
      (descartes-debugger-mode))
    (let ((inhibit-read-only t) (at (point)))
      (erase-buffer)
      (unless descartes-debuggers
        (descartes-debugger--insert "No thread is stopped" 'shadow))
      (mapc #'descartes-debugger--insert-debugger (reverse descartes-debuggers))
      (goto-char (min at (point-max))))
    (current-buffer)))

(defun descartes-debugger-update (debuggers)
  "Show STOPS, all that are stopped now, without selecting the window."
  (let ((appeared (and debuggers (null descartes-debuggers))))
    (setq descartes-debuggers debuggers)
    (unless debuggers
      (clrhash descartes-debugger--locals))
    (let ((buffer (descartes-debugger--render)))
      (cond (appeared
             (with-current-buffer buffer (goto-char (point-min)))
             (display-buffer buffer '((display-buffer-reuse-window display-buffer-pop-up-window)
                                      (inhibit-same-window . t))))
            ((null debuggers)
             (let ((window (get-buffer-window buffer t)))
               (when (and window (not (eq window (selected-window))) (window-deletable-p window))
                 (delete-window window))))))))

(defun descartes-debugger-show ()
  "Show the debugger and go there."
  (interactive)
  (pop-to-buffer (descartes-debugger--render)))

;;; Leaving a stop

(defun descartes-debugger--left (result)
  "Show what an operation that left a stop has come to, RESULT."
  (when-let ((evaluation (plist-get result :evaluation)))
    (descartes-show-evaluation evaluation)))

(defun descartes-debugger--read-arguments (restart)
  "Ask for the arguments of RESTART, Lisp text each; a vector."
  (vconcat
   (cl-loop for argument across (plist-get restart :arguments)
            when (member (plist-get argument :kind) '("required" "rest"))
            collect (read-string (format "%s: " (downcase (plist-get argument :name)))))))

(defun descartes-debugger-invoke (stop restart)
  "Invoke RESTART of STOP, after asking for its arguments."
  (let ((arguments (descartes-debugger--read-arguments restart)))
    (descartes-call "debugger.restart"
                    (append (descartes-debugger--stop stop)
                            (list :index (plist-get restart :index) :name (plist-get restart :name))
                            (unless (seq-empty-p arguments) (list :arguments arguments)))
                    #'descartes-debugger--left)))

(defun descartes-debugger-invoke-number (number)
  "Invoke the restart NUMBER of the stop at point."
  (let* ((stop (descartes-debugger--debugger))
         (restarts (plist-get stop :restarts)))
    (if (< number (length restarts))
        (descartes-debugger-invoke stop (elt restarts number))
      (user-error "There is no restart %d" number))))

(defun descartes-debugger--leave (operation)
  "Ask for OPERATION on the stop at point."
  (descartes-call operation (descartes-debugger--stop (descartes-debugger--debugger))
                  #'descartes-debugger--left))

(defun descartes-debugger-abort ()
  "Leave the stop for the level above it."
  (interactive)
  (descartes-debugger--leave "debugger.abort"))

(defun descartes-debugger-continue ()
  "Go on after the stop."
  (interactive)
  (descartes-debugger--leave "debugger.continue"))

(defun descartes-debugger-quit ()
  "Leave every level; without a stop, close the window."
  (interactive)
  (if descartes-debuggers
      (descartes-debugger--leave "debugger.toplevel")
    (quit-window)))

;;; Frames

(defun descartes-debugger--frame-params ()
  "Return the parameters that name the frame at point."
  (append (descartes-debugger--stop (descartes-debugger--debugger))
          (list :frame (plist-get (descartes-debugger--frame) :index))))

(defun descartes-debugger-toggle-locals ()
  "Show or hide the variables of the frame at point."
  (interactive)
  (let ((key (descartes-debugger--key (descartes-debugger--debugger) (descartes-debugger--frame))))
    (if (gethash key descartes-debugger--locals)
        (progn (remhash key descartes-debugger--locals)
               (descartes-debugger--render))
      (descartes-call "debugger.frame" (descartes-debugger--frame-params)
                      (lambda (detail)
                        (puthash key (plist-get detail :locals) descartes-debugger--locals)
                        (descartes-debugger--render))))))

(defun descartes-debugger-eval-in-frame (code)
  "Evaluate CODE with the variables of the frame at point."
  (interactive "sEvaluate in frame: ")
  (descartes-call "debugger.evalInFrame" (append (descartes-debugger--frame-params) (list :code code))
                  #'descartes-show-evaluation))

(defun descartes-debugger-return-from-frame (code)
  "Return the value of CODE from the frame at point."
  (interactive "sReturn from frame: ")
  (descartes-call "debugger.returnFromFrame" (append (descartes-debugger--frame-params) (list :code code))
                  #'descartes-debugger--left))

(defun descartes-debugger-restart-frame ()
  "Call the function of the frame at point again."
  (interactive)
  (descartes-call "debugger.restartFrame" (descartes-debugger--frame-params) #'descartes-debugger--left))

(defun descartes-debugger-show-source ()
  "Show the source of the frame at point, else of a stop."
  (interactive)
  (let* ((frame (get-text-property (point) 'descartes-frame))
         (location (or (plist-get frame :location)
                       (plist-get (descartes-debugger--debugger) :location)
                       (user-error "No source is known here")))
         (buffer (find-file-noselect (eglot--uri-to-path (plist-get location :uri))))
         (window (display-buffer buffer '(nil (inhibit-same-window . t)))))
    (with-selected-window window
      (goto-char (car (eglot--range-region (plist-get location :range))))
      (pulse-momentary-highlight-one-line (point)))))

(provide 'descartes-debugger)
;;; descartes-debugger.el ends here
