;;; descartes-inspector.el --- Looking into objects -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; A buffer for each inspection; there may be several.  An object's lines are
;; shown a page at a time.
;;
;;   RET  go into the object of this line     s  set its value
;;   l    back         n  forward             x  do what the line offers
;;   g    look again   m  more lines          e  evaluate, * is the object
;;   q    close the inspection

;;; Code:

(require 'descartes)

(defface descartes-inspector-title '((t :inherit bold)) "The object that is inspected." :group 'descartes)

(defvar-local descartes-inspector--inspection nil "What is shown, as the server sent it.")
(defvar-local descartes-inspector--parts nil "All lines fetched of the object.")

(defvar descartes-inspector-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map (kbd "<backtab>") #'backward-button)
    (define-key map (kbd "RET") #'descartes-inspector-enter)
    (define-key map "l" #'descartes-inspector-back)
    (define-key map "n" #'descartes-inspector-forward)
    (define-key map "g" #'descartes-inspector-refresh)
    (define-key map "m" #'descartes-inspector-more)
    (define-key map "s" #'descartes-inspector-set)
    (define-key map "x" #'descartes-inspector-act)
    (define-key map "e" #'descartes-inspector-eval)
    (define-key map "q" #'descartes-inspector-quit)
    map)
  "Keys of the inspector, those of SLIME where it has them.")

(define-derived-mode descartes-inspector-mode special-mode "Inspector"
  "An object of the image."
  (setq truncate-lines t)
  (add-hook 'kill-buffer-hook #'descartes-inspector--close nil t))

;;; Opening

(defun descartes-inspector--open (params)
  "Open an inspection of what PARAMS name."
  (descartes-call "inspector.open" params
                  (lambda (inspection)
                    (with-current-buffer (generate-new-buffer "*descartes-inspector*")
                      (descartes-inspector-mode)
                      (descartes-inspector--show inspection)
                      (pop-to-buffer (current-buffer))))))

;;;###autoload
(defun descartes-inspect (expression)
  "Inspect the value of EXPRESSION, by default the form before point."
  (interactive (list (read-string "Inspect: " (and (derived-mode-p 'lisp-mode) (thing-at-point 'sexp t)))))
  (descartes-inspector--open (list :expression expression)))

(defun descartes-inspect-value (evaluation index)
  "Inspect the value INDEX of EVALUATION, an id."
  (descartes-inspector--open (list :evaluation evaluation :value index)))

;;; Showing

(defun descartes-inspector--show (inspection)
  "Show INSPECTION from its first line on."
  (setq descartes-inspector--inspection inspection
        descartes-inspector--parts (append (plist-get inspection :parts) nil))
  (descartes-inspector--render)
  (goto-char (point-min)))

(defun descartes-inspector--value (text)
  "Make what follows the name in TEXT look like a link."
  (let ((at (string-match " [=→] " text)))
    (if at
        (concat (propertize (substring text 0 at) 'face 'font-lock-variable-name-face)
                (substring text at (+ at 3))
                (propertize (substring text (+ at 3)) 'face 'descartes-restart))
      (propertize text 'face 'descartes-restart))))

(defun descartes-inspector--insert (part)
  "Insert the line PART."
  (let ((start (point)) (text (plist-get part :text)))
    (insert (if (plist-get part :part) (descartes-inspector--value text) text))
    (when-let ((action (plist-get part :actionText)))
      (insert "  " (propertize (concat "[" action "]") 'face 'shadow)))
    (insert "\n")
    (add-text-properties start (point) (list 'descartes-part part))))

(defun descartes-inspector--render ()
  "Write the object into the buffer."
  (let ((inhibit-read-only t) (line (line-number-at-pos))
        (inspection descartes-inspector--inspection))
    (erase-buffer)
    (insert (propertize (plist-get inspection :title) 'face 'descartes-inspector-title) "\n"
            (propertize (plist-get inspection :type) 'face 'font-lock-type-face) "\n\n")
    (mapc #'descartes-inspector--insert descartes-inspector--parts)
    (when (eq (plist-get inspection :more) t)
      (insert (propertize (format "… %d of %s lines (m)\n" (length descartes-inspector--parts)
                                  (or (plist-get inspection :count) "many"))
                          'face 'shadow)))
    (setq header-line-format
          (concat " RET go in · s set · e evaluate"
                  (if (eq (plist-get inspection :back) t) " · l back" "")
                  (if (eq (plist-get inspection :forward) t) " · n forward" "")))
    (goto-char (point-min))
    (forward-line (1- line))))

;;; Moving

(defun descartes-inspector--params (&rest more)
  "Return what names this inspection, and MORE."
  (append (list :id (plist-get descartes-inspector--inspection :id)) more))

(defun descartes-inspector--part (key)
  "Return the number under KEY of the line at point; an error without one."
  (or (plist-get (get-text-property (point) 'descartes-part) key)
      (user-error "This line has none")))

(defun descartes-inspector-enter ()
  "Go into the object of the line at point."
  (interactive)
  (descartes-call "inspector.part" (descartes-inspector--params :part (descartes-inspector--part :part))
                  #'descartes-inspector--show))

(defun descartes-inspector-back ()
  "Go back to the object before."
  (interactive)
  (descartes-call "inspector.back" (descartes-inspector--params) #'descartes-inspector--show))

(defun descartes-inspector-forward ()
  "Go forward again."
  (interactive)
  (descartes-call "inspector.forward" (descartes-inspector--params) #'descartes-inspector--show))

(defun descartes-inspector--redraw (inspection)
  "Show INSPECTION, of the same object, and stay on the line."
  (setq descartes-inspector--inspection inspection
        descartes-inspector--parts (append (plist-get inspection :parts) nil))
  (descartes-inspector--render))

(defun descartes-inspector-refresh ()
  "Show the object as it is now."
  (interactive)
  (descartes-call "inspector.refresh" (descartes-inspector--params) #'descartes-inspector--redraw))

(defun descartes-inspector-more ()
  "Show more lines."
  (interactive)
  (descartes-call "inspector.more" (descartes-inspector--params)
                  (lambda (inspection)
                    (setq descartes-inspector--inspection inspection
                          descartes-inspector--parts (append descartes-inspector--parts
                                                             (plist-get inspection :parts) nil))
                    (descartes-inspector--render))))

(defun descartes-inspector-set (code)
  "Set the value of the line at point to the value of CODE."
  (interactive "sSet to the value of: ")
  (descartes-call "inspector.set"
                  (descartes-inspector--params :part (descartes-inspector--part :part) :code code)
                  #'descartes-inspector--redraw))

(defun descartes-inspector-act ()
  "Take the action of the line at point."
  (interactive)
  (descartes-call "inspector.action" (descartes-inspector--params :action (descartes-inspector--part :action))
                  #'descartes-inspector--redraw))

(defun descartes-inspector-eval (code)
  "Evaluate CODE, where * is the object, and go on to its value."
  (interactive "sEvaluate (* is the object): ")
  (descartes-call "inspector.eval" (descartes-inspector--params :code code) #'descartes-inspector--show))

(defun descartes-inspector--close ()
  "Close the inspection."
  (when descartes-inspector--inspection
    (ignore-errors (descartes-call "inspector.close" (descartes-inspector--params) nil #'ignore))))

(defun descartes-inspector-quit ()
  "Close the inspection and its buffer."
  (interactive)
  (quit-window t))

(define-key descartes-mode-map (kbd "C-c I") #'descartes-inspect)

(provide 'descartes-inspector)
;;; descartes-inspector.el ends here
